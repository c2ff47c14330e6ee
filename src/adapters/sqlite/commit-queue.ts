import { FairQueue } from "../../ports/fair-queue.ts";
import type { Write } from "./statements.ts";

/** Writes with more text are committed by themselves, characters: a megabyte is measured at 5 to 10 ms. */
const charsOfSlice = 65_536;
/** Text that one commit writes, characters, unless a single group has more: a commit of so much is measured at 4 ms. */
const charsPerCommit = 262_144;

/** Writes that are committed together or not at all. */
export interface WriteGroup {
  readonly writes: readonly Write[];
  readonly settled: PromiseWithResolvers<void>;
  /** The turn that begins with these writes: its events must not be committed before them. */
  readonly turn?: number;
}

/** An entry of the journal, as JSON once it was looked at. */
interface QueuedEntry<E> {
  readonly entry: E;
  readonly settled: PromiseWithResolvers<void>;
  text?: string;
}

/** What one commit takes. */
export interface Gathered {
  readonly groups: readonly WriteGroup[];
  readonly entries: readonly QueuedEntry<readonly [turn: number, ...unknown[]]>[];
}

/**
 * What waits for a commit. The journal's entries go first, then what belongs to no caller, then callers by turns; a commit ends when
 * its text becomes long. Slices of long work and writes with long texts are taken one by one, between the other commits.
 */
export class CommitQueue<E extends readonly [turn: number, ...unknown[]]> {
  #entries: QueuedEntry<E>[] = [];
  #internal: WriteGroup[] = [];
  readonly #owned = new FairQueue<WriteGroup>();
  readonly #slices = new FairQueue<WriteGroup>();
  /** Turns whose beginning waits here. */
  readonly #beginning = new Set<number>();

  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#internal.length === 0 && this.#owned.isEmpty;
  }

  get hasSlice(): boolean {
    return !this.#slices.isEmpty;
  }

  addEntry(entry: E): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#entries.push({ entry, settled });
    return settled.promise;
  }

  /** Without an owner the writes belong to the server, and are few. */
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

  take(): Gathered {
    const groups = this.#internal;
    this.#internal = [];
    let chars = 0;
    // The groups are chosen first, because the events of a turn may go together with its beginning.
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

function charsOf(writes: readonly Write[]): number {
  let chars = 0;
  for (const write of writes) for (const value of write) if (typeof value === "string") chars += value.length;
  return chars;
}
