import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { createSeededRandom, type SeededRandom } from "../../crash/seeded-random.ts";
import { splitAt } from "../../doubles/script.ts";
import { streamHead } from "../../doubles/stream-script.ts";
import type { UpstreamProviderUnderTest } from "../../ports/provider-contract.ts";
import { type Heard, hear } from "../chat-completions/chat-setup.ts";
import { createAnthropicSetup } from "./anthropic-setup.ts";
import {
  type FullMessage,
  messageFramings,
  readMessageInFull,
  recordedMessages,
} from "./recorded-messages.ts";

const streams = recordedMessages();
const cutsOfStream = 4;
const ends: Readonly<Record<string, string>> = {
  end_turn: "stop",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

function hearPackets(under: UpstreamProviderUnderTest, packets: readonly Uint8Array[]): Promise<Heard> {
  under.double.respond([streamHead(), ...packets.map((write) => ({ write }))]);
  return hear(under, { includeReasoning: true });
}

function anyPackets(bytes: Uint8Array, random: SeededRandom): Uint8Array[] {
  const places = Array.from({ length: random.whole(0, 40) }, () => random.whole(1, bytes.length - 1));
  return splitAt(
    bytes,
    [...new Set(places)].sort((one, other) => one - other),
  );
}

function check(heard: Heard, full: FullMessage): void {
  assert.deepEqual([heard.text, heard.reasoning], [full.text, full.reasoning]);
  if (full.stop === undefined) {
    assert.ok(heard.thrown instanceof TroupeError);
    assert.equal(heard.end, undefined);
    return;
  }
  const { end, thrown, events } = heard;
  assert.deepEqual([thrown, end?.finishReason, end?.model], [undefined, ends[full.stop], full.model]);
  const items = end?.items ?? [];
  assert.deepEqual(
    items.filter((item) => item.type === "tool-call"),
    full.calls.map((call) => ({ type: "tool-call", ...call })),
  );
  assert.deepEqual(
    items.flatMap((item) => (item.type === "source" ? item.url : [])),
    full.sources,
  );
  const { signatures } = full;
  assert.deepEqual(
    items.flatMap((item) => (item.type === "reasoning" ? [item.providerState?.state.signature] : [])),
    signatures,
  );
  const done = events.flatMap((event) =>
    event.type === "tool" && event.tool !== "function" && event.status === "completed" ? event.callId : [],
  );
  assert.deepEqual(
    done,
    full.tools.flatMap(({ callId, hasResult }) => (hasResult ? callId : [])),
  );
  const { input_tokens, output_tokens, cache_read_input_tokens } = full.usage;
  assert.deepEqual(
    [end?.usage?.inputTokens, end?.usage?.outputTokens, end?.usage?.cachedTokens],
    [input_tokens, output_tokens, cache_read_input_tokens],
  );
}

describe("a recorded stream of the Messages API is read as reading all of it in full would", () => {
  it("and there are streams with text, reasoning, calls, tools, sources and a refusal", () => {
    const readings = streams.map(({ lines }) => readMessageInFull(lines));
    assert.ok(streams.length >= 12);
    for (const has of [
      ({ text }: FullMessage) => text !== "",
      ({ reasoning, signatures }: FullMessage) => reasoning !== "" && signatures.length > 0,
      ({ calls }: FullMessage) => calls.length > 0,
      ({ tools }: FullMessage) => tools.length > 0 && tools.every(({ hasResult }) => hasResult),
      ({ sources }: FullMessage) => sources.length > 1,
      ({ stop }: FullMessage) => stop === "refusal",
    ])
      assert.ok(readings.some(has), String(has));
  });

  for (const [index, { name, lines }] of streams.entries()) {
    it(`${name}: whole, and cut at random places`, async () => {
      await using under = await createAnthropicSetup();
      const full = readMessageInFull(lines);
      assert.notEqual(full.stop, undefined);
      const random = createSeededRandom(index);
      for (const framing of Object.values(messageFramings)) {
        const bytes = Buffer.from(framing(lines));
        check(await hearPackets(under, [bytes]), full);
        for (let cut = 0; cut < cutsOfStream; cut += 1)
          check(await hearPackets(under, anyPackets(bytes, random)), full);
      }
    });

    it(`${name}: cut off at random places`, async () => {
      await using under = await createAnthropicSetup();
      const random = createSeededRandom(1_000 + index);
      const bytes = Buffer.from(messageFramings["as Anthropic does"]?.(lines) ?? "");
      for (let cut = 0; cut < 2 * cutsOfStream; cut += 1) {
        const sent = bytes.subarray(0, random.whole(1, bytes.length));
        // An event that lacks only its empty line is an event.
        const count = sent.toString().split("\n").filter(isWholeLine).length;
        const whole = lines.slice(0, count);
        const full = readMessageInFull(whole);
        const heard = await hearPackets(under, anyPackets(sent, random));
        check(heard, full);
        const code = heard.thrown instanceof TroupeError ? heard.thrown.code : undefined;
        const isSilent = whole.every((line) => line.includes('"type":"ping"'));
        if (full.stop === undefined) assert.equal(code, isSilent ? "upstream_empty" : "upstream_truncated");
      }
    });
  }
});

function isWholeLine(line: string): boolean {
  try {
    return line.startsWith("data: ") && typeof JSON.parse(line.slice("data: ".length)) === "object";
  } catch {
    return false;
  }
}
