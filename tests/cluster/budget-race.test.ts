import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, readUsage, totalOf } from "../budget/budget-stage.ts";
import type { WireClient } from "../support/wire-client.ts";
import { createLockStep, type RequestEnd } from "./lock-step.ts";
import { onLinux, startProcesses } from "./start-processes.ts";

const cap = 20_000;
const reservedTokens = 256;
const kindOf = (end: RequestEnd) => (end.type === "response" ? end.finish_reason : end.code);

test(
  "500 parallel starts at two processes overspend the day's tokens by at most one reservation in all",
  onLinux,
  async (context) => {
    const lockStep = createLockStep(1_000);
    await using system = await startProcesses(lockStep.script, {
      TROUPE_SERVER_TOKENS_PER_DAY: String(cap),
      TROUPE_RESERVED_TOKENS: String(reservedTokens),
    });
    const asked = new Map<WireClient, string[]>();
    for (let part = 0; part < 4; part += 1) {
      const { clients } = await system.connectBoth();
      for (const [worker, client] of clients.entries()) {
        const length = 62 + worker;
        const ids = Array.from({ length }, (_, index) => `race-${part}-${worker}-${index}`);
        asked.set(client, ids);
      }
    }
    for (const [client, ids] of asked)
      for (const id of ids) client.send(ask(id, { pacing: { mode: "raw" } }));
    const ends = await lockStep.run(asked);
    const {
      budget = [],
      budget_exhausted: none = [],
      day_budget_spent: refused = [],
    } = Object.groupBy(ends, kindOf);
    assert.equal(ends.length, 500);
    assert.equal(budget.length + none.length + refused.length, 500);
    const rows = readUsage(system.folder);
    assert.equal(rows.length, budget.length);
    assert.ok(rows.every(({ outcome }) => outcome === "budget"));
    for (const worker of [0, 1])
      assert.ok(rows.some(({ request_id: id }) => id?.split("-")[2] === String(worker)));
    const overspent = totalOf(rows) - cap;
    context.diagnostic(
      `cap ${cap}, ${rows.length} of 500 begun at two processes, used ${totalOf(rows)}: ${overspent} above it, one reservation is ${reservedTokens}`,
    );
    assert.ok(overspent <= reservedTokens, String(overspent));
    assert.ok(overspent >= -rows.length * (reservedTokens / 4), String(overspent));
  },
);
