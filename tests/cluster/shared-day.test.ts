import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, endlessScript, endsOf } from "../budget/budget-stage.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { type ClusterServer, startCluster } from "../support/start-cluster.ts";
import { createTestClock } from "../support/test-clock.ts";
import { readJson } from "./gated-cluster.ts";

const dayMs = 24 * 3_600_000;

test("a day budget spent at one server is spent at the other, until midnight at both", async () => {
  await using upstream = await createUpstreamDouble({ keepAlive: false });
  upstream.respond(endlessScript());
  const clock = createTestClock({ instantMs: 1_000 });
  await using cluster = await startCluster(2, {
    ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, pacing: "raw", clock },
    tokensPerDay: 1_000,
  });
  const servers = cluster.servers as [ClusterServer, ClusterServer];
  const [spending, other] = [await servers[0].connect(), await servers[1].connect()];
  const daysOf = () => Promise.all(servers.map((server) => readJson<{ to: string }>(server, "usage")));
  spending.send(ask("all"));
  const [all] = await endsOf(spending, ["all"]);
  assert.ok(all?.type === "response" && all.finish_reason === "budget");

  other.send(ask("more"));
  const [refused] = await endsOf(other, ["more"]);
  assert.ok(refused?.type === "error" && refused.code === "day_budget_spent" && refused.retryable);
  assert.equal(refused.message, "The budget of the day is used up. This key may use 1000 tokens a day.");
  assert.equal(refused.retry_after_ms, dayMs - (clock.wallTimeMs() % dayMs));
  assert.equal(upstream.requests.length, 1);
  const [before] = await daysOf();

  await clock.advance(dayMs);
  other.send(ask("next-day"));
  const [next] = await endsOf(other, ["next-day"]);
  assert.ok(next?.type === "response" && next.finish_reason === "budget");
  spending.send(ask("late"));
  const [late] = await endsOf(spending, ["late"]);
  assert.ok(late?.type === "error" && late.code === "day_budget_spent");
  const [first, second] = await daysOf();
  assert.equal(first?.to, second?.to);
  assert.equal(Date.parse(first?.to ?? "") - Date.parse(before?.to ?? ""), dayMs);
});
