import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { createSeededRandom, type SeededRandom } from "../../crash/seeded-random.ts";
import { splitAt } from "../../doubles/script.ts";
import { streamHead } from "../../doubles/stream-script.ts";
import type { UpstreamProviderUnderTest } from "../../ports/provider-contract.ts";
import { createGeminiSetup, type Heard, hear } from "./gemini-setup.ts";
import {
  contentFramings,
  type FullAnswer,
  readContentsInFull,
  recordedStreams,
} from "./recorded-contents.ts";

const streams = recordedStreams();
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

function check(heard: Heard, full: FullAnswer): void {
  assert.deepEqual([heard.text, heard.reasoning], [full.text, full.reasoning]);
  if (full.finish === undefined) {
    assert.ok(heard.thrown instanceof TroupeError);
    assert.equal(heard.end, undefined);
    return;
  }
  const { end, thrown } = heard;
  const reason = full.calls.length > 0 ? "tool_calls" : "stop";
  assert.deepEqual([thrown, end?.finishReason, end?.model], [undefined, reason, full.model]);
  const items = end?.items ?? [];
  assert.deepEqual(
    items.flatMap((item) => (item.type === "tool-call" ? [{ ...item, providerState: undefined }] : [])),
    full.calls.map(({ name, args }, index) => ({
      ...{ type: "tool-call", callId: `call_${full.id}_${index}`, name, arguments: JSON.stringify(args) },
      providerState: undefined,
    })),
  );
  const signatures = items.flatMap(({ providerState }) => providerState?.state.signature ?? []);
  assert.deepEqual(
    signatures,
    [...full.calls.map(({ signature }) => signature), full.signature].filter((one) => one !== undefined),
  );
  assert.equal(end?.usage?.inputTokens, full.usage.input);
  assert.equal(end?.usage?.outputTokens, full.usage.output);
}

describe("a recorded stream of Gemini is read as reading all of it in full would", () => {
  it("and there are streams with text, reasoning, calls and signatures", () => {
    const readings = streams.map(({ lines }) => readContentsInFull(lines));
    assert.ok(streams.length >= 6);
    for (const has of [
      ({ text }: FullAnswer) => text !== "",
      ({ reasoning }: FullAnswer) => reasoning !== "",
      ({ calls }: FullAnswer) => calls.length > 1,
      ({ calls }: FullAnswer) => calls.some(({ signature }) => signature !== undefined),
      ({ signature }: FullAnswer) => signature !== undefined,
    ])
      assert.ok(readings.some(has), String(has));
  });

  for (const [index, { name, lines }] of streams.entries()) {
    it(`${name}: whole, and cut at random places`, async () => {
      await using under = await createGeminiSetup();
      const full = readContentsInFull(lines);
      assert.notEqual(full.finish, undefined);
      const random = createSeededRandom(index);
      for (const framing of Object.values(contentFramings)) {
        const bytes = Buffer.from(framing(lines));
        check(await hearPackets(under, [bytes]), full);
        for (let cut = 0; cut < cutsOfStream; cut += 1)
          check(await hearPackets(under, anyPackets(bytes, random)), full);
      }
    });

    it(`${name}: cut off at random places`, async () => {
      await using under = await createGeminiSetup();
      const random = createSeededRandom(1_000 + index);
      const bytes = Buffer.from(contentFramings.plainly?.(lines) ?? "");
      for (let cut = 0; cut < 2 * cutsOfStream; cut += 1) {
        const sent = bytes.subarray(0, random.whole(1, bytes.length));
        // A chunk that lacks only its empty line is a chunk.
        const count = sent.toString().split("\n").filter(isWholeLine).length;
        const full = readContentsInFull(lines.slice(0, count));
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
