import { createHistogram, type Spread, spreadOf } from "../histogram.ts";
import { ageOfToken, tokenBytes, tokenMark } from "../time-stamp.ts";

/** The counts over all connections since the last call of `take`. */
interface TallyReport {
  readonly tokens: number;
  readonly bytes: number;
  readonly reads: number;
  /** Frames, or reads of an event stream, that held tokens. */
  readonly chunks: number;
  /** Age of each chunk's oldest token on arrival, less the delay that the rhythm allows. */
  readonly lag: Spread;
  readonly firstChunk: Spread;
}

export function createTally() {
  const lag = createHistogram();
  const firstChunk = createHistogram();
  let tokens = 0;
  let bytes = 0;
  let reads = 0;
  let chunks = 0;

  return {
    countRead(length: number): void {
      reads += 1;
      bytes += length;
    },
    countFirstChunk(ms: number): void {
      firstChunk.add(ms);
    },
    /**
     * Counts the tokens between `start` and `end` as one chunk. Returns the offset of a token that is still incomplete,
     * to be read again with the next bytes, or `end` if there is none.
     */
    countChunk(data: Buffer, { start, end, nowMs, rhythmMs }: ChunkPlace): number {
      let found = data.indexOf(tokenMark, start);
      let isFirst = true;
      while (found >= 0 && found < end) {
        if (found + tokenBytes > end) return found;
        tokens += 1;
        if (isFirst) {
          const ageMs = ageOfToken(data, found, nowMs);
          if (ageMs !== undefined) lag.add(ageMs - rhythmMs);
          chunks += 1;
          isFirst = false;
        }
        found = data.indexOf(tokenMark, found + tokenBytes);
      }
      return end;
    },
    get tokens(): number {
      return tokens;
    },
    take(): TallyReport {
      const report = { tokens, bytes, reads, chunks, lag: spreadOf(lag), firstChunk: spreadOf(firstChunk) };
      lag.clear();
      firstChunk.clear();
      tokens = bytes = reads = chunks = 0;
      return report;
    },
  };
}

interface ChunkPlace {
  readonly start: number;
  readonly end: number;
  readonly nowMs: number;
  readonly rhythmMs: number;
}

export type Tally = ReturnType<typeof createTally>;
