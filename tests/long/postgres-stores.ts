import assert from "node:assert/strict";
import { after, describe } from "node:test";
import { createPostgresConversations } from "../../src/adapters/postgres/postgres-conversations.ts";
import { createPostgresKeys } from "../../src/adapters/postgres/postgres-keys.ts";
import { createPostgresPurses } from "../../src/adapters/postgres/postgres-purses.ts";
import { createPostgresRateCounter } from "../../src/adapters/postgres/postgres-rate-counter.ts";
import { createPostgresResponses } from "../../src/adapters/postgres/postgres-responses.ts";
import { createPostgresTickets } from "../../src/adapters/postgres/postgres-tickets.ts";
import { createPostgresUsage } from "../../src/adapters/postgres/postgres-usage.ts";
import { createPostgresVendorIds } from "../../src/adapters/postgres/postgres-vendor-ids.ts";
import { openServedTime } from "../../src/adapters/postgres/served-time.ts";
import { estimatedUsage } from "../../src/ports/usage-store.ts";
import { describeConversationStore } from "../ports/conversation-store-contract.ts";
import { describeKeyStore } from "../ports/key-store-contract.ts";
import { describeRateCounter } from "../ports/rate-counter-contract.ts";
import { describeResponses, responseRetentionMs } from "../ports/response-store-contract.ts";
import { describeSharedPurses } from "../ports/shared-purses-contract.ts";
import { describeTickets } from "../ports/tickets-contract.ts";
import { describeLeaving, describeTurnLog } from "../ports/turn-log-contract.ts";
import { created, describeTurnLogStore } from "../ports/turn-log-store-contract.ts";
import { describeTurnQuestions } from "../ports/turn-question-contract.ts";
import { describeUsageStore } from "../ports/usage-store-contract.ts";
import { describeVendorIds } from "../ports/vendor-ids-contract.ts";
import { createNotes } from "./postgres/noted-faults.ts";
import { openLogs, openStore, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

/** The same contracts as the stores in memory and in SQLite. */
describe("PostgreSQL", withPostgres, () => {
  after(stopShared);

  describeTurnLogStore("postgres", async (options) => {
    const { logs, [Symbol.asyncDispose]: dispose } = await openLogs(options);
    return { store: logs, [Symbol.asyncDispose]: dispose };
  });

  async function openLog() {
    const { logs, [Symbol.asyncDispose]: dispose } = await openLogs();
    return { log: await created(logs, "owner", "id"), [Symbol.asyncDispose]: dispose };
  }
  describeTurnLog("postgres", openLog);
  describeLeaving("postgres", openLog);
  describeTurnQuestions("postgres", openLogs);

  describeConversationStore("postgres", async () => {
    const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
    return { store: createPostgresConversations({ store, clock }), [Symbol.asyncDispose]: dispose };
  });
  describeKeyStore("postgres", async () => {
    const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
    return { store: createPostgresKeys({ store, clock }), [Symbol.asyncDispose]: dispose };
  });
  describeUsageStore("postgres", async () => {
    const { store, [Symbol.asyncDispose]: dispose } = await openStore();
    return { store: createPostgresUsage({ store }), [Symbol.asyncDispose]: dispose };
  });
  describeVendorIds("postgres", async () => {
    const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
    const served = await openServedTime(store, clock);
    return { store: createPostgresVendorIds({ store, served }), clock, [Symbol.asyncDispose]: dispose };
  });
  describeResponses("postgres", async () => {
    const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
    const served = await openServedTime(store, clock);
    const responses = createPostgresResponses({ store, served, retentionMs: responseRetentionMs });
    return { store: responses, clock, [Symbol.asyncDispose]: dispose };
  });
  describeTickets("postgres", async () => {
    const { store, clock, change, [Symbol.asyncDispose]: dispose } = await openStore();
    const age = (ms: number) =>
      change("UPDATE tickets SET issued = issued - make_interval(secs => $1)", [ms / 1_000]);
    return { tickets: createPostgresTickets({ store, clock }), age, [Symbol.asyncDispose]: dispose };
  });
  describeRateCounter("postgres", async () => {
    const { store, change, [Symbol.asyncDispose]: dispose } = await openStore();
    // So long that no test is in two of them.
    const windowMs = 1_000 * 24 * 3_600_000;
    const nextWindow = () => change("UPDATE attempts SET time_window = time_window - 1");
    const counter = createPostgresRateCounter({
      store,
      windowMs,
      kind: "attempts",
      beside: { add: () => assert.fail("not in memory") },
    });
    return { ...{ counter, windowMs, nextWindow }, [Symbol.asyncDispose]: dispose };
  });
  describeSharedPurses("postgres", async () => {
    await using opening = new AsyncDisposableStack();
    const { url, ...first } = opening.use(await openStore());
    const second = opening.use(await openStore({ url, observer: createNotes().observer }));
    const usage = createPostgresUsage({ store: second.store });
    const opened = opening.move();
    return {
      first: createPostgresPurses(first.store),
      second: createPostgresPurses(second.store),
      async leave(calls) {
        for (const [index, { cost: usd, ...call }] of calls.entries()) {
          const id = `${index}`;
          usage.begin({ ...call, id, owner: "owner", day: 20_000, atMs: 0, isBegun: false });
          if (usd === undefined) continue;
          const counted = { ...estimatedUsage(call.inputTokens, call.outputTokens), estimated: false };
          const cost = { usd, approximate: false };
          usage.end(id, { usage: { ...counted, cost }, outcome: "completed", day: 20_000 });
        }
        await second.store.flushed();
        await first.change("DELETE FROM fences WHERE incarnation = $1", [second.store.incarnation]);
      },
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  });
});
