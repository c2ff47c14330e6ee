import type { TurnLogStore } from "../../ports/turn-log.ts";
import type { OwnStore, SqliteStore } from "./sqlite-store.ts";
import type { Row, Write } from "./statements.ts";

/**
 * Forgets the ended turns of a conversation in slices: first their entries in the journal, then their rows. The journal is read once per
 * 1,000 turns, and each of its rows with entries of these turns is written once.
 */
export async function forgetTurns(
  store: Pick<OwnStore, "read" | "writeSlice">,
  owner: string,
  conversationId: string,
): Promise<void> {
  for (let last: number | undefined = 0; last !== undefined; ) {
    const turns: readonly Row[] = await store.read("endedTurnsIn", owner, conversationId, last);
    last = turns.length === 0 ? undefined : Number(turns.at(-1)?.number);
    await eraseFromJournal(store, turns);
    for (let left = turns; left.length > 0; ) {
      const slice = firstSlice(left.slice(0, 100));
      await store.writeSlice(slice.map(({ number = null }) => ["forgetTurn", number]));
      left = left.slice(slice.length);
    }
  }
}

/** The beats from a turn's first append to its last. */
interface Span {
  readonly turn: number;
  readonly first: number;
  readonly last: number;
}

/** The number of rows that one read of the journal returns. */
const beatsPerRead = 500;
/** Turns at most this many beats apart are read together: reading the gap costs less than another read. */
const maxGap = 100;

async function eraseFromJournal(
  store: Pick<OwnStore, "read" | "writeSlice">,
  turns: readonly Row[],
): Promise<void> {
  const oldest = (await store.read("firstBeat"))[0]?.first;
  if (typeof oldest !== "number") return;
  const waiting = turns
    .map((row) => ({
      turn: Number(row.number),
      first: Math.max(oldest, Number(row.first_beat)),
      last: Number(row.last_beat ?? 0),
    }))
    .filter(({ first, last }) => first <= last)
    .sort((one, other) => other.first - one.first);
  const ranges = rangesOf(waiting);
  let speaking: Span[] = [];

  /** The turns that may have appended in this beat. Each call takes a later beat than the one before. */
  function turnsIn(beat: number): number[] {
    for (let next = waiting.at(-1); next !== undefined && next.first <= beat; next = waiting.at(-1)) {
      speaking.push(next);
      waiting.pop();
    }
    speaking = speaking.filter(({ last }) => last >= beat);
    return speaking.map(({ turn }) => turn);
  }

  for (const { first, last } of ranges) {
    for (let beat = first; beat <= last; ) {
      const rows = await store.read("beatsBetween", beat, last);
      for (let left = rows; left.length > 0; ) {
        const slice = firstSlice(left.slice(0, 100));
        const writes = slice.flatMap(({ beat: number }): Write[] => {
          const spoke = turnsIn(Number(number));
          return spoke.length === 0 ? [] : [["eraseFromBeat", JSON.stringify(spoke), Number(number)]];
        });
        if (writes.length > 0) await store.writeSlice(writes);
        left = left.slice(slice.length);
      }
      beat = rows.length < beatsPerRead ? last + 1 : Number(rows.at(-1)?.beat) + 1;
    }
  }
}

/** Joins spans into the ranges of beats to read. `spans` are sorted by `first`, the last one first. */
function rangesOf(spans: readonly Span[]): { readonly first: number; last: number }[] {
  const ranges: { readonly first: number; last: number }[] = [];
  for (const { first, last } of spans.toReversed()) {
    const range = ranges.at(-1);
    if (range === undefined || first > range.last + maxGap) ranges.push({ first, last });
    else range.last = Math.max(range.last, last);
  }
  return ranges;
}

interface OrphanOptions {
  readonly store: SqliteStore;
  readonly logs: Pick<TurnLogStore, "forget">;
}

/**
 * Forgets ended turns whose conversation is gone, because a process ended in the middle of a deletion. It runs once, at the start, a few
 * hundred turns at a time, until it is disposed.
 */
export function forgetOrphans({ store, logs }: OrphanOptions): Disposable {
  const stopped = new AbortController();

  async function forget(): Promise<void> {
    for (let last = 0; !stopped.signal.aborted; ) {
      const rows = await store.read("conversationsOfTurns", last);
      if (rows.length === 0) return;
      last = Number(rows.at(-1)?.number);
      for (const { owner, conversation_id: id, is_kept: isKept } of rows)
        if (isKept === 0 && !stopped.signal.aborted) await logs.forget(String(owner), String(id));
    }
  }
  forget().catch((fault: unknown) => {
    if (!stopped.signal.aborted) store.report(fault);
  });

  return { [Symbol.dispose]: () => stopped.abort() };
}

/** Maximum text that one slice deletes or compacts, bytes. Overwriting it takes 2 ms (measured), and answers wait meanwhile. */
const bytesPerSlice = 262_144;

/** The first rows (with their `bytes`) that fit into one slice, at least one of them. */
export function firstSlice(rows: readonly Row[]): readonly Row[] {
  let bytes = 0;
  const end = rows.findIndex((row) => {
    bytes += Number(row.bytes);
    return bytes > bytesPerSlice;
  });
  return end < 0 ? rows : rows.slice(0, Math.max(1, end));
}
