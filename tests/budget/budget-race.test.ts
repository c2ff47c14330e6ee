import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, endsOf, startBudgetStage, totalOf } from "./budget-stage.ts";

const cap = 20_000;
const reservedTokens = 256;

for (const [name, options] of [
  ["the server's tokens", { serverTokensPerDay: cap }],
  ["a key's tokens", { tokensPerDay: cap }],
  ["the server's money", { moneyPerDay: 0.2, fallbackPrice: { input: 10, output: 10 } }],
] as const) {
  test(`500 parallel starts at the cap of ${name} overspend by at most one reservation`, async (context) => {
    await using stage = await startBudgetStage({ ...options, reservedTokens, maxRequestsPerConnection: 500 });
    const ends = await Promise.all(
      [0, 1, 2, 3, 4].map(async (part) => {
        const client = await stage.server.connect();
        const ids = Array.from({ length: 100 }, (_, index) => `race-${part}-${index}`);
        for (const id of ids) client.send(ask(id));
        return endsOf(client, ids);
      }),
    );
    const kinds = Object.groupBy(ends.flat(), (end) =>
      end.type === "response" ? end.finish_reason : end.code,
    );
    const { budget = [], budget_exhausted: none = [], day_budget_spent: refused = [] } = kinds;
    assert.equal(budget.length + none.length + refused.length, 500);
    const rows = await stage.rows();
    assert.equal(rows.length, budget.length);
    assert.ok(rows.every(({ outcome }) => outcome === "budget"));
    assert.equal(stage.upstream.openConnections(), 0);
    const overspent = totalOf(rows) - cap;
    context.diagnostic(
      `cap ${cap}, ${rows.length} of 500 begun, used ${totalOf(rows)}: ${overspent} above it, one reservation is ${reservedTokens}`,
    );
    assert.ok(overspent <= reservedTokens, String(overspent));
    assert.ok(overspent >= -rows.length * (reservedTokens / 4 + 4), String(overspent));
  });
}

test("many small requests one after another end at the same cap", async () => {
  await using stage = await startBudgetStage({ tokensPerDay: 1_000, reservedTokens });
  const client = await stage.server.connect();
  let refused: unknown;
  for (let count = 0; refused === undefined; count += 1) {
    const id = `small-${count}`;
    client.send(ask(id, { budget_tokens: 100 }));
    const [end] = await endsOf(client, [id]);
    if (end?.type === "error" && end.seq === undefined) refused = end;
    assert.ok(count < 20);
  }
  assert.ok(totalOf(await stage.rows()) <= 1_000 + reservedTokens);
});
