import type { Clock } from "../../ports/clock.ts";
import { firstSlice } from "./forget-turns.ts";
import type { ServedTime, SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";

interface RetirementOptions {
  readonly store: SqliteStore;
  readonly clock: Clock;
  readonly served: ServedTime;
  /** How long a turn's whole log is kept after its end, milliseconds. */
  readonly retentionMs: number;
  /** How long its answer is kept after its end, milliseconds. */
  readonly answerRetentionMs: number;
}

/** How often to look for logs and answers whose time is over. */
const intervalMs = 60_000;
/** The file shrinks only if it has more free pages than this, and more than a quarter of all: fewer would soon be needed again. */
const maxFreePages = 1_024;

/**
 * Compacts the logs of ended turns to their answers when the logs' time is over, forgets the answers when theirs is over, and gives the
 * freed space back. Starts with the work that came due while no server ran.
 */
export function retireTurns(options: RetirementOptions): Disposable {
  const { store, clock, served, retentionMs, answerRetentionMs } = options;
  const stopped = new AbortController();

  /** Makes the writes that are due, in small commits, until there are none. */
  async function writeAll(due: () => Promise<Write[]>): Promise<void> {
    for (let writes = await due(); writes.length > 0 && !stopped.signal.aborted; writes = await due())
      await store.writeSlice(writes);
  }

  async function logsToCompact(): Promise<Write[]> {
    const rows = await store.read("turnsToCompact", served.now() - retentionMs);
    return firstSlice(rows).map(({ number = null }) => ["compactTurn", number]);
  }

  async function turnsToForget(): Promise<Write[]> {
    const rows = await store.read("turnsToForget", served.now() - Math.max(retentionMs, answerRetentionMs));
    return firstSlice(rows).map(({ number = null }) => ["forgetTurn", number]);
  }

  async function responsesToForget(): Promise<Write[]> {
    const rows = await store.read(
      "responsesToForget",
      served.now() - Math.max(retentionMs, answerRetentionMs),
    );
    return firstSlice(rows).map(({ number = null }) => ["forgetResponse", number]);
  }

  async function pagesToGiveBack(): Promise<Write[]> {
    const [row] = await store.read("pages");
    const [free, pages] = [Number(row?.free), Number(row?.pages)];
    return free > maxFreePages && free > pages / 4 ? [["giveBackPages"]] : [];
  }

  async function retire(): Promise<void> {
    await writeAll(turnsToForget);
    await writeAll(logsToCompact);
    await writeAll(responsesToForget);
    await writeAll(pagesToGiveBack);
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await retire().catch((fault: unknown) => {
        if (!stopped.signal.aborted) store.report(fault);
      });
      await clock.sleep(intervalMs, stopped.signal);
      if (!stopped.signal.aborted) store.write([served.keep()], false).catch(store.report);
    }
  }
  void run();

  return { [Symbol.dispose]: () => stopped.abort() };
}
