import { firstSlice } from "./row-slices.ts";
import type { OwnStore } from "./sqlite-store.ts";
import type { Row } from "./statements.ts";

/**
 * Forgets the ended turns of a conversation: what the journal holds of them, then their rows, in slices. The journal is read once for
 * 1,000 turns, and each of its rows that holds something of them is written once.
 */
export async function forgetTurns(store: OwnStore, owner: string, conversationId: string): Promise<void> {
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

interface Span {
  readonly turn: number;
  readonly first: number;
  readonly last: number;
}

async function eraseFromJournal(store: OwnStore, turns: readonly Row[]): Promise<void> {
  const oldest = (await store.read("firstBeat"))[0]?.first;
  if (typeof oldest !== "number") return;
  const spans = turns
    .map((row) => ({
      turn: Number(row.number),
      first: Math.max(oldest, Number(row.first_beat)),
      last: Number(row.last_beat ?? 0),
    }))
    .filter(({ first, last }) => first <= last)
    .sort((one, other) => one.first - other.first);
  let present: Span[] = [];
  let place = 0;
  for (let beat = 0; place < spans.length || present.length > 0; ) {
    // Nothing of the turns is in the beats between the spans.
    if (present.length === 0) beat = Math.max(beat, spans[place]?.first ?? beat);
    const ends = Math.max(...present.map(({ last }) => last), spans[place]?.last ?? 0);
    const rows = await store.read("beatsBetween", beat, ends);
    for (let left = rows; left.length > 0; ) {
      const slice = firstSlice(left.slice(0, 100));
      const writes = slice.flatMap((row) => {
        const number = Number(row.beat);
        for (let next = spans[place]; next !== undefined && next.first <= number; next = spans[place]) {
          present.push(next);
          place += 1;
        }
        present = present.filter(({ last }) => last >= number);
        if (present.length === 0) return [];
        return [["eraseFromBeat", JSON.stringify(present.map(({ turn }) => turn)), number] as const];
      });
      if (writes.length > 0) await store.writeSlice(writes);
      left = left.slice(slice.length);
    }
    beat = rows.length < beatsPerRead ? ends + 1 : Number(rows.at(-1)?.beat) + 1;
    present = present.filter(({ last }) => last >= beat);
    while ((spans[place]?.last ?? Number.POSITIVE_INFINITY) < beat) place += 1;
  }
}

/** As many rows as one read of the journal gives. */
const beatsPerRead = 500;
