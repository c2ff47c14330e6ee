import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Settings } from "../../../src/compose/settings.ts";
import { estimatedUsage } from "../../../src/ports/usage-store.ts";
import { noPrices } from "../../support/no-prices.ts";
import { type ClusterMember, openCluster } from "./open-cluster.ts";

const ada = { owner: "ada", keyId: "key-1", limits: {} };
const plan = { api: "openai", model: "m", inputTokens: 10, isBegun: false };
const expense = { caller: ada, lanes: 1 };
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function budgetsOf(member: ClusterMember, settings: Partial<Settings> = {}) {
  const stores = await member.open(settings);
  return stores.openBudgets(noPrices);
}

/** Opens two processes with these limits, and a call in the first one. */
async function openCall(
  settings: Partial<Settings>,
  changes: Partial<typeof plan & { maxOutputTokens: number }> = {},
) {
  const cluster = await openCluster({ budgets: settings });
  const [member, other] = [cluster.join(), cluster.join()];
  const budgets = await budgetsOf(member, settings);
  const turn = budgets.openTurn(expense);
  const call = await turn.open({ ...plan, ...changes });
  /** Counts the messages between the processes that `work` causes. */
  async function messagesOf(work: () => void): Promise<number> {
    const before = member.line.messages;
    work();
    for (let count = 0; count < 10; count += 1) await nextTurn();
    return member.line.messages - before;
  }
  return {
    ...{ cluster, member, other, turn, call, messagesOf },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

describe("a call that another process pays for", () => {
  it("is covered at once by the part already paid for, and asks for more when half of it is used", async () => {
    await using opened = await openCall({ serverTokensPerDay: 10_000 });
    const { call, messagesOf } = opened;
    const covers = (tokens: number) => () => assert.equal(call.cover(tokens), true);
    assert.equal(await messagesOf(covers(96)), 0);
    assert.equal(await messagesOf(covers(97)), 2);
    assert.equal(await messagesOf(covers(200)), 0);
    assert.equal(await messagesOf(covers(300)), 2);
  });

  it("waits only when the part already paid for is used up", async () => {
    await using opened = await openCall({ serverTokensPerDay: 10_000 });
    const first = opened.call.cover(1_000);
    assert.notEqual(first, true);
    assert.equal(await first, true);
    assert.equal(opened.call.cover(1_001), true);
  });

  it("ends if nothing is left, and reserves nothing beyond the request's own limit", async () => {
    await using opened = await openCall({ serverTokensPerDay: 310 }, { maxOutputTokens: 100 });
    const { call, messagesOf } = opened;
    assert.equal(await messagesOf(() => assert.equal(call.cover(99), true)), 0);
    assert.equal(await call.cover(200), true);
    assert.equal(await call.cover(299), true);
    assert.equal(await call.cover(300), false);
  });

  it("is never stopped if nothing limits it, and reports what it must reserve before that is written", async () => {
    await using opened = await openCall({});
    const { call, cluster, messagesOf } = opened;
    assert.equal(call.isLimited, false);
    assert.equal(await messagesOf(() => assert.equal(call.cover(192), true)), 0);
    assert.equal(await messagesOf(() => assert.equal(call.cover(1_000), true)), 2);
    assert.equal(await messagesOf(() => assert.equal(call.cover(1_100), true)), 0);
    const [sum] = await cluster.usage.sums("ada", 0, 1_000_000);
    assert.deepEqual([sum?.inputTokens, sum?.outputTokens], [10, 1_256]);
  });

  it("counts as it was reserved when its process is gone, or as it was settled", async () => {
    const settings = { serverTokensPerDay: 600 };
    await using opened = await openCall(settings);
    const { cluster, turn, member, other } = opened;
    const settled = await turn.open(plan);
    settled.settle({ ...estimatedUsage(8, 30), estimated: false });
    await assert.rejects(async () => turn.open({ ...plan, inputTokens: 500 }), { code: "budget_exhausted" });
    member.line.cut();
    for (let count = 0; count < 10; count += 1) await nextTurn();
    const [sum] = await cluster.usage.sums("ada", 0, 1_000_000);
    assert.deepEqual([sum?.calls, sum?.inputTokens, sum?.outputTokens], [2, 18, 286]);
    const budgets = await budgetsOf(other, settings);
    const { maxOutputTokens } = await budgets.openTurn(expense).open(plan);
    assert.equal(maxOutputTokens, 600 - 18 - 286 - 10);
  });

  it("is resumed by another process under its own number in its lane", async () => {
    await using cluster = await openCluster({ budgets: {} });
    const [member, other] = [cluster.join(), cluster.join()];
    const asked = { ...expense, requestId: "r" };
    const turn = (await budgetsOf(member)).openTurn(asked);
    for (const [call, inputTokens] of [10, 100].entries()) await turn.open({ ...plan, call, inputTokens });
    member.line.cut();
    for (let count = 0; count < 10; count += 1) await nextTurn();
    const next = (await budgetsOf(other)).openTurn(asked);
    const resumed = await next.open({ ...plan, call: 0, isBegun: true });
    resumed.record("completed", estimatedUsage(1, 1));
    for (let count = 0; count < 10; count += 1) await nextTurn();
    const [sum] = await cluster.usage.sums("ada", 0, 1_000_000);
    assert.deepEqual([sum?.calls, sum?.inputTokens], [2, 101]);
  });

  it("ends as failed, with its usage so far, when its turn is over", async () => {
    await using opened = await openCall({ serverTokensPerDay: 10_000 });
    const { cluster, turn, call } = opened;
    call.cover(40);
    const late = turn.open(plan);
    turn[Symbol.dispose]();
    await late;
    call.record("completed", estimatedUsage(10, 1_000));
    for (let count = 0; count < 10; count += 1) await nextTurn();
    const [sum] = await cluster.usage.sums("ada", 0, 1_000_000);
    assert.deepEqual([sum?.calls, sum?.inputTokens, sum?.outputTokens], [2, 20, 40]);
  });

  it("counts the input of each attempt when its turn is over", async () => {
    await using opened = await openCall({ serverTokensPerDay: 10_000 });
    const { cluster, turn, call } = opened;
    await call.repeat();
    await call.repeat();
    turn[Symbol.dispose]();
    for (let count = 0; count < 10; count += 1) await nextTurn();
    const [sum] = await cluster.usage.sums("ada", 0, 1_000_000);
    assert.deepEqual([sum?.calls, sum?.inputTokens], [1, 30]);
  });
});

describe("requests that several processes count", () => {
  it("are counted together if a minute limits them, and need no message if nothing does", async () => {
    await using cluster = await openCluster({ budgets: { requestsPerMinute: 2 } });
    const members = [cluster.join(), cluster.join()];
    const [first, second] = await Promise.all(
      members.map((member) => budgetsOf(member, { requestsPerMinute: 2 })),
    );
    await Promise.all([first?.admit(ada, 1), second?.admit(ada, 1)]);
    await assert.rejects(async () => first?.admit(ada, 1), { code: "request_rate_exceeded" });
    await assert.rejects(async () => second?.admit(ada, 1), { code: "request_rate_exceeded" });
    await second?.admit({ ...ada, keyId: "key-2", limits: { requestsPerMinute: 3 } }, 1);
    const free = cluster.join();
    const budgets = await budgetsOf(free);
    const before = free.line.messages;
    await budgets.admit(ada, 1);
    assert.equal(free.line.messages, before);
  });
});
