import type { Clock } from "../../ports/clock.ts";
import { FairQueue } from "../../ports/fair-shares.ts";
import type { Observer } from "../../ports/observer.ts";
import type { JournalEntry } from "../../ports/stored-turn.ts";
import { CommitLoop, type Outages, storageUnavailable } from "../database/commits.ts";
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

/** Writes with more text than this are committed by themselves, characters: a megabyte takes 5 to 10 ms (measured). */
const charsOfSlice = 65_536;
/** Maximum text of one commit, characters, unless a single group has more: a commit of this size takes 4 ms (measured). */
const charsPerCommit = 262_144;

/** Writes that are committed together or not at all. */
interface WriteGroup {
  readonly writes: readonly Write[];
  readonly settled: PromiseWithResolvers<void>;
  /** The turn that starts with these writes: its events must not be committed before them. */
  readonly turn?: number;
}

/** An entry of the journal. `text` is its JSON, made when a commit first looks at the entry. */
interface QueuedEntry<E> {
  readonly entry: E;
  readonly settled: PromiseWithResolvers<void>;
  text?: string;
}

/** The content of one commit. */
interface Gathered<E> {
  readonly groups: readonly WriteGroup[];
  readonly entries: readonly QueuedEntry<E>[];
}

/**
 * The work that waits for a commit. A commit takes all of the server's writes, callers' writes by turns, and entries of the journal;
 * callers' writes and entries are each limited by their text. Slices of long work and writes with long texts are taken one by one, between
 * the other commits.
 */
export class CommitQueue<E extends readonly [turn: number, ...unknown[]]> {
  #entries: QueuedEntry<E>[] = [];
  #internal: WriteGroup[] = [];
  readonly #owned = new FairQueue<WriteGroup>();
  readonly #slices = new FairQueue<WriteGroup>();
  /** Turns whose first writes are still queued. */
  readonly #beginning = new Set<number>();

  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#internal.length === 0 && this.#owned.isEmpty;
  }

  addEntry(entry: E): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#entries.push({ entry, settled });
    return settled.promise;
  }

  /** Writes without an owner are the server's, and few. */
  add(writes: readonly Write[], owner: string | undefined, turn?: number): Promise<void> {
    const settled = Promise.withResolvers<void>();
    const group = turn === undefined ? { writes, settled } : { writes, settled, turn };
    if (turn !== undefined) this.#beginning.add(turn);
    if (owner === undefined) this.#internal.push(group);
    else if (charsOf(writes) > charsOfSlice) this.#slices.add(owner, group);
    else this.#owned.add(owner, group);
    return settled.promise;
  }

  addSlice(writes: readonly Write[], owner: string): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#slices.add(owner, { writes, settled });
    return settled.promise;
  }

  takeSlice(): WriteGroup | undefined {
    const slice = this.#slices.take();
    if (slice?.turn !== undefined) this.#beginning.delete(slice.turn);
    return slice;
  }

  take(): Gathered<E> {
    const groups = this.#internal;
    this.#internal = [];
    let chars = 0;
    // The groups are chosen first: a turn's events may be committed together with its first writes.
    const owned = this.#takeOwned();
    for (const { turn } of [...groups, ...owned]) if (turn !== undefined) this.#beginning.delete(turn);
    const entries: QueuedEntry<E>[] = [];
    const left: QueuedEntry<E>[] = [];
    const leftTurns = new Set<number>();
    for (const queued of this.#entries) {
      const [turn] = queued.entry;
      queued.text ??= JSON.stringify(queued.entry);
      const hasRoom = chars === 0 || chars + queued.text.length <= charsPerCommit;
      if (!hasRoom || this.#beginning.has(turn) || leftTurns.has(turn)) {
        left.push(queued);
        leftTurns.add(turn);
      } else {
        entries.push(queued);
        chars += queued.text.length;
      }
    }
    this.#entries = left;
    return { groups: [...groups, ...owned], entries };
  }

  #takeOwned(): WriteGroup[] {
    const taken: WriteGroup[] = [];
    for (let chars = 0; chars < charsPerCommit; ) {
      const group = this.#owned.take();
      if (group === undefined) break;
      taken.push(group);
      chars += charsOf(group.writes);
    }
    return taken;
  }
}

/** The size of all texts and binary values, in UTF-8 bytes. */
function bytesOf(writes: readonly Write[]): number {
  let bytes = 0;
  for (const [, ...values] of writes)
    for (const value of values)
      if (typeof value === "string" || value instanceof Uint8Array) bytes += Buffer.byteLength(value);
  return bytes;
}

function charsOf(writes: readonly Write[]): number {
  let chars = 0;
  for (const write of writes) for (const value of write) if (typeof value === "string") chars += value.length;
  return chars;
}
