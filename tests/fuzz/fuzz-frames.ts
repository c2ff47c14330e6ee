import fc from "fast-check";
import { anyFrame } from "./any-frame.ts";
import { exchange, type FrameTarget, type Tally } from "./exchange.ts";
import { fieldCases, fieldFrame } from "./field-frames.ts";
import type { Frame } from "./frame.ts";
import { listedFrames } from "./listed-frames.ts";

export interface FuzzOptions {
  /** The same seed gives the same frames. */
  readonly seed: number;
  /** Goes on until this many frames were refused or ended their connection. */
  readonly badFrames: number;
  /** Sends each field of each message with each of its hostile values once, before the random frames. */
  readonly everyField: boolean;
}

/** Frames that share a connection. */
const batchFrames = 50;
/** Batches between two checks of the count. */
const batchesPerRound = 20;
/** Time limit for shrinking failing frames; after it, the smallest ones found are shown. */
const maxSearchMs = 60_000;

/** Sends listed and random frames to the server. Throws with the failing frames; random ones are shrunk first. */
export async function fuzzFrames(target: FrameTarget, options: FuzzOptions): Promise<Tally> {
  const { seed, badFrames, everyField } = options;
  const tally: Tally = { refused: 0, closed: 0, accepted: 0 };
  const send = async (frames: readonly Frame[]) => {
    const { refused, closed, accepted } = await exchange(frames, target);
    tally.refused += refused;
    tally.closed += closed;
    tally.accepted += accepted;
  };

  const fields = everyField ? fieldCases().map((one) => fieldFrame(one.type, [one])) : [];
  const fixed = [...listedFrames(), ...fields];
  for (let start = 0; start < fixed.length; start += batchFrames) {
    await send(fixed.slice(start, start + batchFrames));
  }
  const property = fc.asyncProperty(
    fc.array(anyFrame(), { minLength: 1, maxLength: batchFrames, size: "max" }),
    send,
  );
  for (let round = 0; tally.refused + tally.closed < badFrames; round += 1) {
    await fc.assert(property, {
      seed: seed * 1_000 + round,
      numRuns: batchesPerRound,
      interruptAfterTimeLimit: maxSearchMs,
    });
  }
  // An uncaught error is reported a little later than the frame that caused it.
  await send([]);
  return tally;
}
