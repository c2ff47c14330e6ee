import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { forgetTurns } from "../../../src/adapters/sqlite/forget-turns.ts";
import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import type { OwnStore } from "../../../src/adapters/sqlite/sqlite-store.ts";
import type { Row, Value, Write } from "../../../src/adapters/sqlite/statements.ts";
import { asks, conversationOf } from "../../ports/conversations-under-test.ts";
import { textOf } from "../../ports/log-reading.ts";
import { openStore } from "./open-store.ts";

describe("long work on the database", () => {
  it("lets every commit of the journal in after at most one slice", async () => {
    await using opened = await openStore();
    const { store } = opened;
    let slices = 0;
    const deleting = Array.from({ length: 200 }, (_, number) =>
      store
        .of(`owner-${number % 2}`)
        .writeSlice([["eraseMessage", number]])
        .then(() => {
          slices += 1;
        }),
    );
    const between: number[] = [];
    for (let beat = 0; beat < 20; beat += 1) {
      const before = slices;
      await store.journal([1, beat + 1, [textOf("said")]], true);
      between.push(slices - before);
    }
    assert.ok(slices < 200, "the work was over before the last beat");
    assert.ok(Math.max(...between) <= 2, `${between} slices were committed while a beat waited`);
    await Promise.all(deleting);
  });

  it("is erasing a conversation: one of another caller is erased while it goes on", async () => {
    await using opened = await openStore();
    const { store, clock } = opened;
    using conversations = createSqliteConversations({ store, clock });
    const long = await conversations.create("attacker");
    for (let count = 0; count < 10; count += 1)
      await conversations.append("attacker", long, undefined, [asks("x ".repeat(250_000))]);
    const short = await conversationOf(conversations, "neighbour", "A short one.");
    const order: string[] = [];
    await Promise.all([
      conversations.remove("attacker", long).then(() => order.push("long")),
      conversations.remove("neighbour", short).then(() => order.push("short")),
    ]);
    assert.deepEqual(order, ["short", "long"]);
  });

  it("is a search: another caller's reads go between its slices", async () => {
    await using opened = await openStore();
    const { store, clock } = opened;
    using conversations = createSqliteConversations({ store, clock });
    const long = await conversations.create("attacker");
    for (let count = 0; count < 8; count += 1)
      await conversations.append("attacker", long, undefined, [asks("e\u0301\u0327 ".repeat(100_000))]);
    let isOver = false;
    const searching = conversations.search("attacker", "needle", 100).then(() => {
      isOver = true;
    });
    let reads = 0;
    for (; !isOver; reads += 1) await conversations.head("neighbour", "none");
    await searching;
    assert.ok(reads > 5, `${reads} reads`);
  });
});

/** A store with `count` ended turns, each in a beat of its own and all in one conversation. It counts the work. */
function countedStore(count: number) {
  const turns = Array.from({ length: count }, (_, index): Row => {
    const number = index + 1;
    return { number, first_beat: number, last_beat: number, bytes: 100 };
  });
  const work = { rows: 0, beats: 0, turns: 0 };
  function rowsOf(name: string, values: readonly Value[]): readonly Row[] {
    if (name === "firstBeat") return [{ first: 1 }];
    if (name === "beatsBetween") {
      const [from, to] = values.map(Number);
      const beats = turns.filter(
        ({ number }) => Number(number) >= (from ?? 0) && Number(number) <= (to ?? 0),
      );
      return beats.slice(0, 500).map(({ number = null }) => ({ beat: number, bytes: 100 }));
    }
    return turns.filter(({ number }) => Number(number) > Number(values[2])).slice(0, 1_000);
  }
  const store: Pick<OwnStore, "read" | "writeSlice"> = {
    async read(name, ...values) {
      const rows = rowsOf(name, values);
      work.rows += rows.length;
      return rows;
    },
    async writeSlice(writes: readonly Write[]) {
      for (const [name, value] of writes) {
        if (name === "forgetTurn") work.turns += 1;
        else work.beats += (JSON.parse(String(value)) as number[]).length;
      }
    },
  };
  return { store, work };
}

it("forgetting turns costs as much for each of 8,000 as for each of 1,000", async () => {
  for (const count of [1_000, 8_000]) {
    const { store, work } = countedStore(count);
    await forgetTurns(store, "owner", "conversation");
    assert.deepEqual([work.turns, work.beats], [count, count]);
    assert.ok(work.rows <= 2.1 * count + 20, `${work.rows} rows were read`);
  }
});
