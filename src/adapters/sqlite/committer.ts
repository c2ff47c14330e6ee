import type { Clock } from "../../ports/clock.ts";
import type { Observer } from "../../ports/observer.ts";
import type { JournalEntry } from "../../ports/stored-turn.ts";
import { CommitLoop } from "../database/commit-loop.ts";
import { type Outages, storageUnavailable } from "../database/outages.ts";
import { bytesOf, CommitQueue, type Gathered } from "./commit-queue.ts";
import { isDamage, isStorageFault } from "./database-faults.ts";
import type { DatabaseThreads } from "./database-threads.ts";
import type { Write } from "./statements.ts";

/** The journal is pruned once in this many beats. */
const beatsPerPruning = 20;
/** The owner name of the server's own work. */
export const server = "";

interface CommitterOptions {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly threads: DatabaseThreads;
  readonly health: Outages;
  /** Aborts when the store closes. */
  readonly closing: AbortSignal;
}

/** Commits writes and entries of the journal together, in order. All writes are refused while the storage fails. */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #queue = new CommitQueue<JournalEntry>();
  readonly #loop: CommitLoop;
  /** The beat of each running turn's first append. */
  readonly #firstBeats = new Map<number, number>();
  #beat: number;
  #wasSlice = false;

  constructor(options: CommitterOptions) {
    const { clock, closing, threads } = options;
    this.#options = options;
    this.#beat = threads.lastBeat;
    this.#loop = new CommitLoop({
      ...{ clock, closing },
      isEmpty: () => this.#queue.isEmpty,
      commitNext: (isDue) => this.#commitNext(isDue),
    });
  }

  /** See `OwnStore.write`. Writes without an owner are the server's. */
  write(writes: readonly Write[], isUrgent: boolean, owner?: string, turn?: number): Promise<void> {
    const written = this.#queue.add(writes, owner, turn);
    this.#loop.schedule(isUrgent);
    return written;
  }

  writeSlice(writes: readonly Write[], owner: string): Promise<void> {
    const sliced = this.#queue.addSlice(writes, owner);
    void this.#loop.start();
    return sliced;
  }

  journal(entry: JournalEntry, isUrgent: boolean): Promise<void> {
    const journalled = this.#queue.addEntry(entry);
    this.#loop.schedule(isUrgent);
    return journalled;
  }

  /** Does not wait for the beat. */
  hurry(): void {
    this.#loop.schedule(true);
  }

  /** Settles when all earlier writes and entries are committed or refused. */
  flushed(): Promise<void> {
    return this.#loop.idle();
  }

  /** Keeps all journal rows until `release`. */
  retain(turn: number): void {
    this.#firstBeats.set(turn, 0);
  }

  release(turn: number): void {
    this.#firstBeats.delete(turn);
  }

  #commitNext(isDue: boolean): Promise<void> | undefined {
    // One slice follows each commit, so that sliced work gets done on a busy server as well.
    const slice = isDue && this.#wasSlice ? undefined : this.#queue.takeSlice();
    this.#wasSlice = slice !== undefined;
    if (slice !== undefined) return this.#commit({ groups: [slice], entries: [] });
    return isDue ? this.#commit(this.#queue.take()) : undefined;
  }

  async #commit({ groups, entries }: Gathered<JournalEntry>): Promise<void> {
    const { clock, observer, health, threads } = this.#options;
    const { writer } = threads;
    const parts = [...groups, ...entries];
    if (parts.length === 0) return;
    const fault = health.fault;
    if (fault !== undefined) {
      for (const { settled } of parts) settled.reject(storageUnavailable(fault));
      return;
    }
    const writes = groups.flatMap((group) => group.writes);
    if (entries.length > 0) writes.push(this.#journalRow(entries));
    const startedAtMs = observer.committed === undefined ? 0 : clock.now();
    try {
      await writer.call({ type: "commit", writes });
      observer.committed?.({
        events: entries.reduce((sum, { entry: [, , events] }) => sum + events.length, 0),
        bytes: bytesOf(writes),
        durationMs: clock.now() - startedAtMs,
      });
      for (const { settled } of parts) settled.resolve();
    } catch (failure) {
      const isOutage = isStorageFault(failure) && !(isDamage(failure) && writer.damages.length > 0);
      if (isOutage) health.fail(failure);
      else if (parts.length > 1) return this.#commitSingly({ groups, entries });
      for (const { settled } of parts) settled.reject(toRefusal(failure));
    }
  }

  /** Commits each part by itself: one caller's write may hit a damaged page, which must not fail the others. */
  async #commitSingly({ groups, entries }: Gathered<JournalEntry>): Promise<void> {
    for (const group of groups) await this.#commit({ groups: [group], entries: [] });
    for (const entry of entries) await this.#commit({ groups: [], entries: [entry] });
  }

  #journalRow(entries: Gathered<JournalEntry>["entries"]): Write {
    this.#beat += 1;
    const beat = this.#beat;
    for (const { entry } of entries)
      if (!this.#firstBeats.has(entry[0])) this.#firstBeats.set(entry[0], beat);
    if (beat % beatsPerPruning === 0) this.#prune(Math.min(beat, ...this.#firstBeats.values()));
    return ["journal", beat, `[${entries.map(({ text }) => text).join(",")}]`];
  }

  /** If the storage fails now, the next pruning deletes these rows. */
  #prune(before: number): void {
    this.#queue.addSlice([["pruneJournal", before]], server).catch(() => undefined);
  }
}

/** The error for a caller whose statement failed. */
export function toRefusal(fault: unknown): unknown {
  return isStorageFault(fault) ? storageUnavailable(fault) : fault;
}
