import { setTimeout as sleep } from "node:timers/promises";
import type { UpstreamDouble } from "../../doubles/upstream-double.ts";
import type { Asking } from "./peer.ts";
import { chunkCount, type Shown } from "./script.ts";

/** The result that a client had in the end. */
export interface Outcome {
  readonly shown: number;
  /** Chunks that never arrived: of all chunks or, if the server died, of those before the last one shown. */
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  /** How the client was told that the answer is over; `none` if it was not told in time. */
  readonly end: string;
  /** Calls of the upstream beyond the first. */
  readonly furtherCalls: number;
}

/** Maximum silence before a fault, or an end, is given up. The longest fault takes 3 s by itself. */
const patienceMs = 10_000;

/** Settles when no chunk has arrived for `patienceMs`. A busy machine is slow, but does not lose anything by it. */
async function silence(shown: Shown): Promise<string> {
  for (let count = -1; count !== shown.arrivals; ) {
    count = shown.arrivals;
    await sleep(patienceMs, undefined, { ref: false });
  }
  return "none";
}

interface Play {
  /** Settles when the fault has struck. */
  readonly struck: Promise<unknown>;
  readonly asking: Asking;
  readonly shown: Shown;
  readonly upstream: UpstreamDouble;
  /** Whether the fault kills the server that reads the upstream. */
  readonly kills: boolean;
}

/** Waits for the end of an answer, and returns the result. */
export async function finish({ struck, asking, shown, upstream, kills }: Play): Promise<Outcome> {
  // A fault that waits for a chunk may wait for ever.
  await Promise.race([struck, silence(shown)]);
  const end = await Promise.race([asking.end, silence(shown)]);
  const { count, last, doubled, reordered } = shown;
  return {
    shown: count,
    lost: (kills ? last : chunkCount) - count,
    doubled,
    reordered,
    end,
    furtherCalls: Math.max(0, upstream.calls - 1),
  };
}
