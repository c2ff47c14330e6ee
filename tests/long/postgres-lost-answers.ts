import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createPostgresConversations } from "../../src/adapters/postgres/postgres-conversations.ts";
import { createPostgresKeys } from "../../src/adapters/postgres/postgres-keys.ts";
import type { PostgresStore } from "../../src/adapters/postgres/postgres-store.ts";
import { createPostgresTickets } from "../../src/adapters/postgres/postgres-tickets.ts";
import { createPostgresTurnLogs } from "../../src/adapters/postgres/postgres-turn-logs.ts";
import type { Caller } from "../../src/ports/caller.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { ticketLifeMs } from "../../src/ports/tickets.ts";
import { terminal } from "../ports/log-reading.ts";
import { created, recordOf } from "../ports/turn-log-store-contract.ts";
import { createFaultyProxy } from "./postgres/faulty-proxy.ts";
import { createNotes } from "./postgres/noted-faults.ts";
import { emptyDatabase, lockOn, openLogs, openStore, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

const ada: Caller = { owner: "ada", keyId: "key-1", limits: {} };

/** A change whose answer depends on the state before it. */
interface Change {
  /** Makes the row, and returns its id. */
  prepare(): Promise<string>;
  /** Changes it for the first time; the answer is about the change and has no times. */
  change(id: string): Promise<unknown>;
  readonly answer: unknown;
  /** The answer of another attempt. */
  readonly refusal: unknown;
  /** A query of a row that exists only after the change, and one that locks the row. */
  readonly changed: string;
  readonly lock: string;
}

const changes: Readonly<Record<string, (store: PostgresStore, clock: Clock) => Change>> = {
  "the redemption of a ticket"(store, clock) {
    const tickets = createPostgresTickets({ store, clock });
    return {
      prepare: () => tickets.issue(ada),
      change: (ticket) => tickets.redeem(ticket),
      ...{ answer: ada, refusal: undefined },
      changed: "SELECT 1 FROM tickets WHERE used_by IS NOT NULL",
      lock: "SELECT * FROM tickets FOR UPDATE",
    };
  },
  "the revocation of a key"(store, clock) {
    const keys = createPostgresKeys({ store, clock });
    return {
      prepare: async () => (await keys.create({ owner: "ada", limits: {} }, "digest")).id,
      change: async (id) => (await keys.revoke(id))?.owner,
      ...{ answer: "ada", refusal: undefined },
      changed: "SELECT 1 FROM keys WHERE revoked_at_ms IS NOT NULL",
      lock: "SELECT * FROM keys FOR UPDATE",
    };
  },
  "the removal of a conversation"(store, clock) {
    const conversations = createPostgresConversations({ store, clock });
    return {
      prepare: () => conversations.create("ada"),
      change: (id) => conversations.remove("ada", id),
      ...{ answer: true, refusal: false },
      changed: "SELECT 1 FROM conversations WHERE owner IS NULL",
      lock: "SELECT * FROM conversations FOR UPDATE",
    };
  },
};

async function open(make: (store: PostgresStore, clock: Clock) => Change) {
  const stack = new AsyncDisposableStack();
  const database = await emptyDatabase();
  const proxy = stack.use(await createFaultyProxy(database));
  const notes = createNotes();
  const at = stack.use(await openStore({ url: proxy.url, observer: notes.observer }));
  const change = make(at.store, at.clock);
  const id = await change.prepare();
  return {
    ...{ at, proxy, database, change, id },
    /** Waits for a row of a query. */
    async untilRow(text: string): Promise<void> {
      while ((await runOn(database, text)).length === 0) await sleep(5);
    },
    /** Lets the time pass that the store waits before it sends a statement again, until a promise settles. */
    async settled<Value>(promise: Promise<Value>): Promise<Value> {
      let isSettled = false;
      void promise
        .catch(() => undefined)
        .finally(() => {
          isSettled = true;
        });
      while (!isSettled) {
        await at.clock.advance(50);
        await sleep(5);
      }
      return promise;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe("a change in PostgreSQL that is sent again", withPostgres, () => {
  after(stopShared);

  for (const [name, make] of Object.entries(changes)) {
    it(`is ${name}: answered as before if the answer was lost, and only to this attempt`, async () => {
      await using system = await open(make);
      const { change, id, proxy } = system;
      proxy.swallow();
      const answer = change.change(id);
      await system.untilRow(change.changed);
      proxy.cut();
      assert.deepEqual(await system.settled(answer), change.answer);
      assert.deepEqual(await change.change(id), change.refusal);
    });

    it(`is ${name}: made once if the first statement arrives after its repetition`, async () => {
      await using system = await open(make);
      const { change, id, proxy } = system;
      const held = proxy.hold();
      const answer = change.change(id);
      await held;
      proxy.cut();
      assert.deepEqual(await system.settled(answer), change.answer);
      await proxy.release();
      assert.deepEqual(await change.change(id), change.refusal);
    });

    it(`is ${name}: answered as before if both statements wait for its row`, async () => {
      await using system = await open(make);
      const { change, id, proxy, at, database } = system;
      const lock = await lockOn(database, change.lock);
      const waiting = (count: number) =>
        system.untilRow(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'
          AND datname = current_database() HAVING count(*) = ${count}`);
      proxy.swallow();
      const answer = change.change(id);
      await waiting(1);
      proxy.cut();
      await at.clock.advance(200);
      await waiting(2);
      await lock.release();
      assert.deepEqual(await system.settled(answer), change.answer);
      assert.deepEqual(await change.change(id), change.refusal);
    });
  }

  it("leaves no ticket that the release before would redeem again", async () => {
    await using at = await openStore();
    const tickets = createPostgresTickets(at);
    await tickets.redeem(await tickets.issue(ada));
    const deleting = `DELETE FROM tickets RETURNING issued > clock_timestamp() - interval '${ticketLifeMs} milliseconds' AS is_valid`;
    assert.deepEqual(await at.change(deleting), [{ is_valid: false }]);
  });

  it("is the freeing of an old turn's id: the new turn begins", async () => {
    await using at = await openLogs({ retentionMs: 1_000, answerRetentionMs: 1_000 });
    const { clock, served, storeClock } = at;
    await (await created(at.logs, "owner", "id")).append([terminal]);
    await storeClock.advance(1_000);
    // The answer of a repeated statement, which finds the id free.
    const store: PostgresStore = {
      ...at.store,
      query: async (owner, statement, values) => {
        const rows = await at.store.query(owner, statement, values);
        return statement.name === "forgetExpired" ? [] : rows;
      },
    };
    const ages = { retentionMs: 1_000, answerRetentionMs: 1_000, maxBytes: 1_000_000 };
    const logs = createPostgresTurnLogs({ store, clock, served, ...ages });
    assert.equal((await logs.create(recordOf("owner", "id"))).type, "created");
  });
});
