import { answer } from "../../doubles/answer.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../../doubles/upstream-double.ts";

/** The answer that every peer carries: numbered chunks, one after the other. */
export const chunkCount = 100;
const chunkIntervalMs = 20;
/** The mark that an application sends after the last chunk if its transport has no end of its own. */
export const endMark = "end";

/** An upstream that gives every call the same answer. */
export async function createNumberedUpstream(): Promise<UpstreamDouble> {
  const deltas = Array.from({ length: chunkCount }, (_, index) => `${index + 1} `);
  const upstream = await createUpstreamDouble();
  upstream.respond(streamScript(answer({ deltas }), { betweenEvents: () => [{ delayMs: chunkIntervalMs }] }));
  return upstream;
}

/** The part of the answer that a client was shown, in pieces of any size. */
export interface Shown {
  /** Number of different chunks that arrived. */
  readonly count: number;
  /** Number of arrivals, including repeated chunks. */
  readonly arrivals: number;
  /** The largest chunk number that arrived. */
  readonly last: number;
  readonly doubled: number;
  readonly reordered: number;
  take(text: string): void;
  /** Settles when this chunk has arrived. */
  reached(chunk: number): Promise<void>;
}

export function createShown(): Shown {
  const seen = new Set<number>();
  const waiting = new Map<number, () => void>();
  let rest = "";
  let last = 0;
  let doubled = 0;
  let reordered = 0;

  function see(chunk: number): void {
    if (seen.has(chunk)) doubled += 1;
    else if (chunk < last) reordered += 1;
    seen.add(chunk);
    last = Math.max(last, chunk);
    for (const [awaited, wake] of waiting) if (awaited <= last) wake();
  }

  return {
    get count() {
      return seen.size;
    },
    get arrivals() {
      return seen.size + doubled;
    },
    get last() {
      return last;
    },
    get doubled() {
      return doubled;
    },
    get reordered() {
      return reordered;
    },
    take(text) {
      const words = (rest + text).split(" ");
      rest = words.pop() ?? "";
      for (const word of words) if (word !== endMark) see(Number(word));
    },
    reached(chunk) {
      if (last >= chunk) return Promise.resolve();
      return new Promise((resolve) => waiting.set(chunk, resolve));
    },
  };
}
