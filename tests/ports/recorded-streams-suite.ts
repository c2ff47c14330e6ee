import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../src/protocol/errors.ts";
import { createSeededRandom, type SeededRandom } from "../crash/seeded-random.ts";
import { splitAt } from "../doubles/script.ts";
import { streamHead } from "../doubles/stream-script.ts";
import { type Heard, hear } from "./hear.ts";
import type { UpstreamProviderUnderTest } from "./provider-contract.ts";

/** An answer as reading all of its events in full gives it. */
interface FullReading {
  readonly text: string;
  readonly reasoning: string;
}

interface RecordedStreams<Full extends FullReading> {
  /** The API, as the name of the suite has it. */
  readonly api: string;
  readonly create: () => Promise<UpstreamProviderUnderTest>;
  /** The recorded events of each stream, one a line. */
  readonly streams: readonly { readonly name: string; readonly lines: readonly string[] }[];
  readonly framings: Readonly<Record<string, (lines: readonly string[]) => string>>;
  /** The framing that is cut off. */
  readonly cutFraming: string;
  readonly readInFull: (lines: readonly string[]) => Full;
  /** Whether the answer has come to its end. */
  readonly isWhole: (full: Full) => boolean;
  /** Whether these events are no answer. Default: none came. */
  readonly isSilent?: (lines: readonly string[]) => boolean;
  /** Compares the end of a whole answer. */
  readonly checkEnd: (heard: Heard, full: Full) => void;
}

const cutsOfStream = 4;

/** Reads every recorded stream whole, cut at random places and cut off, and compares it with reading all of it in full. */
export function describeRecordedStreams<Full extends FullReading>(recorded: RecordedStreams<Full>): void {
  const { api, create, streams, framings, cutFraming, readInFull, isWhole, checkEnd } = recorded;
  const { isSilent = (lines) => lines.length === 0 } = recorded;

  function check(heard: Heard, full: Full): void {
    assert.deepEqual([heard.text, heard.reasoning], [full.text, full.reasoning]);
    if (isWhole(full)) checkEnd(heard, full);
    else {
      assert.ok(heard.thrown instanceof TroupeError);
      assert.equal(heard.end, undefined);
    }
  }

  describe(`a recorded stream of ${api} is read as reading all of it in full would`, () => {
    for (const [index, { name, lines }] of streams.entries()) {
      it(`${name}: whole, and cut at random places`, async () => {
        await using under = await create();
        const full = readInFull(lines);
        assert.ok(isWhole(full));
        const random = createSeededRandom(index);
        for (const framing of Object.values(framings)) {
          const bytes = Buffer.from(framing(lines));
          check(await hearPackets(under, [bytes]), full);
          for (let cut = 0; cut < cutsOfStream; cut += 1)
            check(await hearPackets(under, anyPackets(bytes, random)), full);
        }
      });

      it(`${name}: cut off at random places`, async () => {
        await using under = await create();
        const random = createSeededRandom(1_000 + index);
        const framing = framings[cutFraming] ?? assert.fail(`no framing ${cutFraming}`);
        const bytes = Buffer.from(framing(lines));
        for (let cut = 0; cut < 2 * cutsOfStream; cut += 1) {
          const sent = bytes.subarray(0, random.whole(1, bytes.length));
          // An event that lacks only its empty line is an event.
          const count = sent.toString().split("\n").filter(isWholeLine).length;
          const come = lines.slice(0, count);
          const full = readInFull(come);
          const heard = await hearPackets(under, anyPackets(sent, random));
          check(heard, full);
          const code = heard.thrown instanceof TroupeError ? heard.thrown.code : undefined;
          if (!isWhole(full)) assert.equal(code, isSilent(come) ? "upstream_empty" : "upstream_truncated");
        }
      });
    }
  });
}

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

function isWholeLine(line: string): boolean {
  try {
    return line.startsWith("data: ") && typeof JSON.parse(line.slice("data: ".length)) === "object";
  } catch {
    return false;
  }
}
