import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { openBeside } from "../support/open-beside.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { ask, endsOf, startBudgetStage, totalOf } from "./budget-stage.ts";

const hourMs = 3_600_000;

test("a spent day refuses requests before anything is stored, until the day is over", async () => {
  await using stage = await startBudgetStage({ tokensPerDay: 1_000 });
  const client = await stage.server.connect();
  client.send(ask("all"));
  const [all] = await endsOf(client, ["all"]);
  assert.ok(all?.type === "response" && all.finish_reason === "budget");
  for (const [id, message] of [
    ["more", ask("more")],
    ["chat", { type: "chat", id: "chat", data: { message: "Hi", persona_id: "teacher" } }],
  ] as const) {
    client.send(message);
    const [refused] = await endsOf(client, [id]);
    assert.ok(refused?.type === "error" && refused.code === "day_budget_spent" && refused.retryable);
    assert.equal(refused.seq, undefined);
    assert.equal(refused.message, "The budget of the day is used up. This key may use 1000 tokens a day.");
    const untilMidnightMs = 24 * hourMs - (stage.clock.wallTimeMs() % (24 * hourMs));
    assert.equal(refused.retry_after_ms, untilMidnightMs);
    client.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
    const unknown = await client.next(({ type }) => type === "error");
    assert.ok(unknown.type === "error" && unknown.code === "request_not_found");
  }
  // A request that was answered before is answered again as usual.
  client.send(ask("all"));
  await client.next((message) => message.type === "response" && message.request_id === "all");
  assert.equal(stage.upstream.requests.length, 1);
  await stage.clock.advance(24 * hourMs);
  client.send(ask("next-day"));
  const [next] = await endsOf(client, ["next-day"]);
  assert.ok(next?.type === "response" && next.finish_reason === "budget");
});

test("a key's limit is its own, and the server's is everyone's", async () => {
  const [ada, bob] = ["ada-0123456789abcdef", "bob-0123456789abcdef"];
  const apiKeys = [
    { owner: "ada", key: ada },
    { owner: "bob", key: bob },
  ];
  await using stage = await startBudgetStage({ apiKeys, tokensPerDay: 1_000, serverTokensPerDay: 1_700 });
  const codes: unknown[] = [];
  for (const [index, key] of [ada, ada, bob, bob].entries()) {
    const client = await stage.server.connect({ headers: { authorization: `Bearer ${key}` } });
    client.send(ask(`r-${index}`));
    const [end] = await endsOf(client, [`r-${index}`]);
    codes.push(end?.type === "error" ? end.message : end?.type === "response" && end.finish_reason);
  }
  assert.deepEqual(codes, [
    "budget",
    "The budget of the day is used up. This key may use 1000 tokens a day.",
    "budget",
    "The budget of the day is used up. The server's tokens of a day are limited.",
  ]);
  const rows = await stage.rows();
  assert.deepEqual(
    rows.map(({ owner }) => owner),
    ["ada", "bob"],
  );
  assert.ok(totalOf(rows) <= 1_700 + 256);
});

test("neither a restart nor a crash gives a fresh budget", async () => {
  await using place = await createDataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  const limits = { tokensPerDay: 1_000 };
  {
    await using stage = await startBudgetStage(limits, { folder: place.folder, clock });
    const client = await stage.server.connect();
    client.send(ask("first", { budget_tokens: 600 }));
    await endsOf(client, ["first"]);
  }
  await using stage = await startBudgetStage(limits, { folder: place.folder, clock });
  const client = await stage.server.connect();
  client.send(ask("second"));
  const messages = await client.untilTerminal("second");
  const end = messages.at(-1);
  assert.ok(end?.type === "response" && end.finish_reason === "budget");
  assert.ok(totalOf(await stage.rows()) <= 1_000 + 256);
});

test("a call that a crash cut off counts with all text received, shown or not, and the cap holds afterwards", async () => {
  await using place = await createDataFolder();
  await using stage = await startBudgetStage();
  const client = await stage.server.connect();
  client.send(ask("cut", { pacing: { mode: "fixed", interval_ms: 5_000, chunk_chars: 4_000 } }));
  await client.next((message) => message.type === "chunk");
  // The rhythm waits, so the call is in the middle of its answer.
  await stage.clock.advance(5_000);
  await client.next((message) => message.type === "chunk");
  const source = openBeside(path.join(stage.folder, "troupe.db"));
  source.exec(`VACUUM INTO '${path.join(place.folder, "troupe.db")}'`);
  source.close();

  // A second process finds the calls that the first has not ended, as after a crash.
  await using second = await startBudgetStage({ tokensPerDay: 200 }, { folder: place.folder });
  const [row, ...others] = await second.rows();
  assert.deepEqual(
    [row?.request_id, row?.outcome, row?.estimated, others.length],
    ["cut", "interrupted", 1, 0],
  );
  const shown = client.received
    .flatMap((message) => (message.type === "chunk" ? [message.chunk] : []))
    .join("");
  assert.ok(Number(row?.output_tokens) >= 256 && Number(row?.output_tokens) >= shown.length / 4);
  const back = await second.server.connect();
  back.send(ask("after"));
  const [refused] = await endsOf(back, ["after"]);
  assert.ok(refused?.type === "error" && refused.code === "day_budget_spent");
});

test("a wall clock that jumps back and forth hands out one fresh budget, not sixty", async () => {
  const clock = createTestClock({ instantMs: 1_000 });
  let offMs = 0;
  const jumping = { ...clock, wallTimeMs: () => clock.wallTimeMs() + offMs };
  await using stage = await startBudgetStage({ tokensPerDay: 400 }, { clock: jumping });
  const client = await stage.server.connect();
  for (let count = 0; count < 60; count += 1) {
    offMs = count % 2 === 0 ? 0 : 24 * hourMs;
    client.send(ask(`jump-${count}`));
    await endsOf(client, [`jump-${count}`]);
  }
  const rows = await stage.rows();
  assert.ok(rows.length >= 2 && totalOf(rows) <= 2 * (400 + 256), String(totalOf(rows)));
});

test("if money is limited, a model without a price is refused, and a version costs as much as its model", async () => {
  const warnings: string[] = [];
  const nothing = () => undefined;
  const logger = {
    debug: nothing,
    info: nothing,
    error: nothing,
    warn: (_: object, line: string) => void warnings.push(line),
  };
  const prices = [{ model: "gpt-4o-mini", price: { input: 1, output: 4 } }];
  await using stage = await startBudgetStage({ moneyPerDay: 0.004, prices, logger });
  assert.deepEqual(warnings, [
    "TROUPE_MONEY_PER_DAY is set without TROUPE_FALLBACK_PRICE: calls of models without a price are refused",
  ]);
  const client = await stage.server.connect();
  client.send(ask("dear", { model: "gpt-9" }));
  const [refused] = await endsOf(client, ["dear"]);
  assert.ok(refused?.type === "error" && refused.code === "budget_exhausted" && !refused.retryable);
  assert.equal(stage.upstream.requests.length, 0);
  client.send(ask("version", { model: "gpt-4o-mini-2024-07-18" }));
  const [end] = await endsOf(client, ["version"]);
  assert.ok(end?.type === "response" && end.finish_reason === "budget");
  const [row] = await stage.rows();
  assert.ok(Math.abs(Number(row?.output_tokens) - 1_000) <= 64, String(row?.output_tokens));

  warnings.length = 0;
  await using other = await startTroupe({
    openaiApiKey: "k",
    model: "gpt-9",
    moneyPerDay: 1,
    prices,
    logger,
  });
  assert.match(warnings[0] ?? "", /no price fits the model gpt-9/);
  assert.equal(other.troupe.stats().turns, 0);
});
