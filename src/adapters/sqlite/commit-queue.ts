import { FairQueue } from "../../ports/fair-shares.ts";
import type { Write } from "./statements.ts";

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
export interface Gathered<E> {
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
export function bytesOf(writes: readonly Write[]): number {
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

/** Older moves are forgotten, and then every path that was read before them counts as outdated. */
const maxMoves = 10_000;

/**
 * The conversations whose head was moved or that were removed lately, at the moment at which that write was queued. All such writes go
 * through one store, so a path that was read before can be compared without a look into the database.
 */
export class HeadMoves {
  /** The number of each conversation's last move, oldest first. */
  readonly #moves = new Map<string, number>();
  #last = 0;
  #forgotten = 0;

  /** The mark of a read that sees every write queued so far. */
  get version(): number {
    return this.#last;
  }

  /** Called in the same step in which the write is queued. */
  note(conversationId: string): void {
    this.#last += 1;
    this.#moves.delete(conversationId);
    this.#moves.set(conversationId, this.#last);
    if (this.#moves.size <= maxMoves) return;
    for (const [oldest, number] of this.#moves) {
      this.#moves.delete(oldest);
      this.#forgotten = number;
      return;
    }
  }

  /** Whether the conversation's head may have moved after the read with this mark. */
  hasMovedSince(version: number, conversationId: string): boolean {
    return (this.#moves.get(conversationId) ?? this.#forgotten) > version;
  }
}
