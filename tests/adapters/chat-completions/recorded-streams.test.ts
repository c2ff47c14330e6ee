import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { createSeededRandom, type SeededRandom } from "../../crash/seeded-random.ts";
import { splitAt } from "../../doubles/script.ts";
import { streamHead } from "../../doubles/stream-script.ts";
import type { UpstreamProviderUnderTest } from "../../ports/provider-contract.ts";
import { createChatSetup, type Heard, hear } from "./chat-setup.ts";
import { chatFramings, type FullChat, readChatInFull, recordedChats } from "./recorded-chunks.ts";

const streams = recordedChats();
const cutsOfStream = 4;

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

function check(heard: Heard, full: FullChat): void {
  assert.deepEqual([heard.text, heard.reasoning], [full.text, full.reasoning]);
  if (full.finish === undefined) {
    assert.ok(heard.thrown instanceof TroupeError);
    assert.equal(heard.end, undefined);
    return;
  }
  const { end, thrown } = heard;
  assert.deepEqual([thrown, end?.finishReason, end?.model], [undefined, full.finish, full.model]);
  const called = (end?.items ?? []).filter((item) => item.type === "tool-call");
  assert.deepEqual(
    called,
    full.calls.map((call) => ({ type: "tool-call", ...call })),
  );
  const told = full.usage;
  assert.equal(end?.usage?.inputTokens, told?.prompt_tokens);
  assert.equal(end?.usage?.totalTokens, told?.total_tokens);
  assert.equal(end?.usage?.cachedTokens, told?.prompt_tokens_details?.cached_tokens ?? undefined);
}

describe("a recorded stream of Chat Completions is read as reading all of it in full would", () => {
  it("and there are streams with text, reasoning, calls and usage", () => {
    const readings = streams.map(({ lines }) => readChatInFull(lines));
    assert.ok(streams.length >= 14);
    for (const has of [
      ({ text }: FullChat) => text !== "",
      ({ reasoning }: FullChat) => reasoning !== "",
      ({ calls }: FullChat) => calls.length > 0,
      ({ usage }: FullChat) => usage !== undefined,
      ({ finish }: FullChat) => finish === "tool_calls",
    ])
      assert.ok(readings.some(has), String(has));
  });

  for (const [index, { name, lines }] of streams.entries()) {
    it(`${name}: whole, and cut at random places`, async () => {
      await using under = await createChatSetup();
      const full = readChatInFull(lines);
      assert.notEqual(full.finish, undefined);
      const random = createSeededRandom(index);
      for (const framing of Object.values(chatFramings)) {
        const bytes = Buffer.from(framing(lines));
        check(await hearPackets(under, [bytes]), full);
        for (let cut = 0; cut < cutsOfStream; cut += 1)
          check(await hearPackets(under, anyPackets(bytes, random)), full);
      }
    });

    it(`${name}: cut off at random places`, async () => {
      await using under = await createChatSetup();
      const random = createSeededRandom(1_000 + index);
      const bytes = Buffer.from(chatFramings["without [DONE]"]?.(lines) ?? "");
      for (let cut = 0; cut < 2 * cutsOfStream; cut += 1) {
        const sent = bytes.subarray(0, random.whole(1, bytes.length));
        // A chunk that lacks only its empty line is a chunk.
        const count = sent.toString().split("\n").filter(isWholeLine).length;
        const full = readChatInFull(lines.slice(0, count));
        const heard = await hearPackets(under, anyPackets(sent, random));
        check(heard, full);
        const code = heard.thrown instanceof TroupeError ? heard.thrown.code : undefined;
        if (full.finish === undefined)
          assert.equal(code, count === 0 ? "upstream_empty" : "upstream_truncated");
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
