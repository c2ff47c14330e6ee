import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createPostgresUsage } from "../../src/adapters/postgres/postgres-usage.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { callOf } from "../ports/usage-store-contract.ts";
import { createFaultyProxy } from "./postgres/faulty-proxy.ts";
import { createNotes } from "./postgres/noted-faults.ts";
import { emptyDatabase, openStore, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

/** The code with which a promise is rejected. */
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (thrown: unknown) => (thrown instanceof TroupeError ? thrown.code : thrown),
  );

describe("a request that depends on PostgreSQL", withPostgres, () => {
  after(stopShared);

  it("reads usage although turns write without a pause", { timeout: 60_000 }, async () => {
    await using at = await openStore();
    const usage = createPostgresUsage({ store: at.store });
    let isOver = false;
    // After each commit there is another item, as from a busy server.
    const write = async (): Promise<void> => {
      while (!isOver) await at.store.confirm();
    };
    const writers = Array.from({ length: 20 }, write);
    for (const id of ["one", "two"]) {
      usage.begin(callOf({ id }));
      assert.notEqual((await usage.sums("ada", 100, 100)).length, 0);
    }
    isOver = true;
    await Promise.all(writers);
  });

  it("is refused if a write of usage waits, or if it needs a number for its turn", {
    timeout: 60_000,
  }, async () => {
    const notes = createNotes();
    const database = await emptyDatabase();
    const proxy = await createFaultyProxy(database);
    const { store, clock } = await openStore({ url: proxy.url, observer: notes.observer });
    const usage = createPostgresUsage({ store: store });
    await store.flushed();
    for (let turn = 0; turn < 2 ** 16; turn += 1) await store.nextTurn();
    await proxy[Symbol.asyncDispose]();
    usage.begin(callOf({ id: "one" }));
    const codes = Promise.all([codeOf(usage.sums("ada", 100, 100)), codeOf(store.nextTurn())]);
    await clock.advance(2_000);
    assert.deepEqual(await codes, ["storage_unavailable", "storage_unavailable"]);
    const closed = store[Symbol.asyncDispose]();
    await clock.advance(5_000);
    await closed;
  });

  it("waits while the database takes no writes, and the server says so", { timeout: 60_000 }, async () => {
    const notes = createNotes();
    await using at = await openStore({ observer: notes.observer });
    const untilIt = async (canStore: boolean) => {
      await at.change("SELECT pg_reload_conf()");
      while ((await at.store.canStore()) !== canStore) await sleep(5);
    };
    await untilIt(true);
    await at.change("ALTER SYSTEM SET default_transaction_read_only = on");
    await untilIt(false);
    let isWritten = false;
    const written = at.store.confirm().then(() => {
      isWritten = true;
    });
    for (let tries = 0; tries < 5; tries += 1) await at.clock.advance(500);
    assert.equal(isWritten, false);
    await at.change("ALTER SYSTEM RESET default_transaction_read_only");
    await untilIt(true);
    for (; !isWritten; await sleep(5)) await at.clock.advance(500);
    await written;
    assert.deepEqual([notes.faults, notes.states.at(-1)], [[], "working"]);
  });
});
