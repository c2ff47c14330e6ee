import type { Clock } from "../../ports/clock.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";

interface IndexingOptions {
  readonly store: SqliteStore;
  readonly clock: Clock;
}

interface Indexing extends Disposable {
  /** Settles when every message is in a block, so that searches find it, or after `limitMs`. */
  caughtUp(limitMs: number): Promise<void>;
}

/** How often to look for full blocks. Until a block has its list of words, searches read its messages one by one. */
const intervalMs = 10_000;
/**
 * Makes the lists of words with which searches skip blocks, in slices. First it puts the messages of an earlier version into blocks and
 * removes that version's index from the file. A failure is reported and tried again after 10 s.
 */
export function indexBlocks({ store, clock }: IndexingOptions): Indexing {
  const stopped = new AbortController();
  const caughtUp = Promise.withResolvers<void>();
  let isCaughtUp = false;
  const isStopped = () => stopped.signal.aborted;

  async function catchUp(): Promise<void> {
    let last = Number((await store.read("counter", "to_index"))[0]?.value ?? 0);
    if (last === 0) return;
    while (last > 0) {
      const rows = await store.read("messagesToIndex", last);
      const numbers = rows.map((row) => Number(row.number));
      last = Math.min(last, ...numbers) - 1;
      if (rows.length === 0) last = 0;
      if (isStopped()) return;
      await store.writeSlice([...numbers.flatMap(putIntoBlock), ["keepToIndex", Math.max(0, last)]]);
    }
    await store.writeSlice([["closeOldBlocks"]]);
  }

  async function eraseOldIndex(): Promise<void> {
    if ((await store.read("hasOldIndex")).length === 0) return;
    while (!isStopped() && (await store.read("oldIndexPages")).length > 0)
      await store.writeSlice([["eraseOldIndexPages"]]);
    if (!isStopped()) await store.writeSlice([["dropOldIndex"]]);
  }

  async function indexFull(): Promise<void> {
    for (let last = Number.MIN_SAFE_INTEGER; !isStopped(); ) {
      const blocks = await store.read("blocksToIndex", last);
      if (blocks.length === 0) return;
      for (const { number = null, owner } of blocks) {
        if (isStopped()) return;
        last = Number(number);
        const own = store.of(String(owner));
        const [list] = await own.run("wordsOfBlock", Number.POSITIVE_INFINITY, number);
        if (list === undefined) continue;
        const { words = null, version = null } = list;
        await own.writeSlice([["indexBlock", words, number, version]]);
      }
    }
  }

  async function run(): Promise<void> {
    while (!isStopped()) {
      try {
        if (!isCaughtUp) await catchUp();
        isCaughtUp = true;
        caughtUp.resolve();
        await eraseOldIndex();
        await indexFull();
      } catch (fault) {
        if (!isStopped() && store.fault === undefined) store.report(fault);
      }
      await clock.sleep(intervalMs, stopped.signal);
    }
  }
  void run();

  return {
    async caughtUp(limitMs) {
      if (isCaughtUp) return;
      const waited = new AbortController();
      await Promise.race([caughtUp.promise, clock.sleep(limitMs, waited.signal)]);
      waited.abort();
    },
    [Symbol.dispose]: () => stopped.abort(),
  };
}

function putIntoBlock(message: number): Write[] {
  return [
    ["openOldBlock", message],
    ["putIntoOldBlock", message],
    ["growOldBlock", message],
  ];
}
