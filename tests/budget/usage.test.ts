import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { sumsOfPage } from "../../src/ports/usage-store.ts";
import { answer } from "../doubles/answer.ts";
import { httpError, streamScript } from "../doubles/stream-script.ts";
import { openBeside } from "../support/open-beside.ts";
import { ask, endsOf, startBudgetStage, type UsageRow } from "./budget-stage.ts";

const brief = ({ request_id, lane, outcome, input_tokens, output_tokens, estimated }: UsageRow) => [
  request_id,
  lane,
  outcome,
  input_tokens,
  output_tokens,
  estimated === 1,
];

test("every call is recorded as it ended: whole, cancelled, failed, turned away, and with its socket gone", async () => {
  await using stage = await startBudgetStage();
  const client = await stage.server.connect();
  const { upstream } = stage;

  client.send(ask("cancelled"));
  await client.next((message) => message.type === "chunk");
  client.send({ type: "cancel", data: { request_id: "cancelled" } });
  const [cancelled] = await endsOf(client, ["cancelled"]);
  assert.ok(cancelled?.type === "response" && cancelled.status === "cancelled");

  const gone = await stage.server.connect();
  gone.send({ ...ask("gone", { on_disconnect: "cancel" }) });
  await gone.next((message) => message.type === "chunk");
  gone.terminate();
  await upstream.closed(await upstream.received(2));

  const whole = answer({ text: "One two three", usage: { inputTokens: 7, outputTokens: 30 } });
  upstream.respond(streamScript(whole));
  client.send(ask("whole"));
  await endsOf(client, ["whole"]);
  upstream.respond([...streamScript(whole.slice(0, 6)), { reset: true }]);
  client.send(ask("broken"));
  await endsOf(client, ["broken"]);
  upstream.respond(
    httpError(401, { message: "No.", type: "invalid_request_error", code: "invalid_api_key" }),
  );
  client.send(ask("refused"));
  await endsOf(client, ["refused"]);
  upstream.respond(streamScript(whole));
  client.send(ask("secret", { options: { store: false } }));
  await endsOf(client, ["secret"]);
  client.send({ type: "chat", id: "chat", data: { message: "Hi", persona_id: "teacher" } });
  await endsOf(client, ["chat"]);
  while (stage.server.troupe.stats().turns > 0) await new Promise((resolve) => setImmediate(resolve));

  const rows = await stage.rows();
  const named = (id: string | null) => rows.filter(({ request_id }) => request_id === id).map(brief);
  const tokens = Math.ceil(String((cancelled.data as { output_text: unknown }).output_text).length / 4);
  assert.deepEqual(named("cancelled"), [["cancelled", null, "cancelled", 1, tokens, true]]);
  const [left = []] = named("gone");
  assert.deepEqual([left[2], left[5]], ["cancelled", true]);
  assert.deepEqual(named("whole"), [["whole", null, "completed", 7, 30, false]]);
  assert.equal(named("broken")[0]?.[2], "failed");
  assert.deepEqual(named("refused"), [["refused", null, "failed", 0, 0, true]]);
  assert.deepEqual(named(null), [[null, null, "completed", 7, 30, false]]);
  assert.deepEqual(named("chat"), [["chat", "teacher", "completed", 7, 30, false]]);
  assert.equal(rows.length, 7);
});

test("a call of one voice that runs is recorded with all of the request's budget", async () => {
  await using stage = await startBudgetStage();
  const client = await stage.server.connect();
  stage.upstream.respond([{ hang: true }]);
  client.send(ask("alone", { budget_tokens: 200 }));
  await stage.upstream.received(1);
  assert.deepEqual(
    (await stage.rows()).map(({ total_tokens, outcome }) => [total_tokens, outcome]),
    [[200, null]],
  );
  client.send({ type: "cancel", data: { request_id: "alone" } });
  await endsOf(client, ["alone"]);
});

test("a cancel while the finished answer is still being shown reports the provider's figures", async () => {
  await using stage = await startBudgetStage({ pacing: "natural" });
  const text = "word ".repeat(200);
  const usage = { inputTokens: 7, outputTokens: 300 };
  stage.upstream.respond(streamScript(answer({ deltas: [text], usage })));
  const client = await stage.server.connect();
  client.send(ask("shown", { pacing: { mode: "fixed", interval_ms: 5_000, chunk_chars: 10 } }));
  await client.next((message) => message.type === "chunk");
  await stage.upstream.received(1);
  while (stage.upstream.requests[0]?.finished !== true) await new Promise((resolve) => setImmediate(resolve));
  await stage.clock.advance(5_000);
  client.send({ type: "cancel", data: { request_id: "shown" } });
  const [end] = await endsOf(client, ["shown"]);
  assert.ok(end?.type === "response" && end.status === "cancelled");
  const data = end.data as Record<string, unknown>;
  assert.equal(data.output_text, text);
  assert.deepEqual(data.usage, { input_tokens: 7, output_tokens: 300, total_tokens: 307, estimated: false });
  assert.deepEqual((await stage.rows()).map(brief), [["shown", null, "cancelled", 7, 300, false]]);
});

test("usage is summed up by day and model, for the caller alone", async () => {
  const [ada, bob] = ["ada-0123456789abcdef", "bob-0123456789abcdef"];
  const apiKeys = [
    { owner: "ada", key: ada },
    { owner: "bob", key: bob },
  ];
  await using stage = await startBudgetStage({ apiKeys });
  stage.upstream.respond(streamScript(answer({ usage: { inputTokens: 7, outputTokens: 30 } })));
  const headers = (key: string) => ({ authorization: `Bearer ${key}` });
  const client = await stage.server.connect({ headers: headers(ada) });
  for (const [id, model] of [
    ["a", "m-1"],
    ["b", "m-1"],
    ["c", "m-2"],
  ] as const) {
    client.send(ask(id, { model }));
    await endsOf(client, [id]);
  }
  const read = async (key: string, query = "") => {
    const response = await fetch(`${stage.server.httpUrl}/api/usage${query}`, { headers: headers(key) });
    return [response.status, await response.json()];
  };
  const day = "2023-11-14";
  const sum = (model: string, calls: number) => ({
    ...{ day, api: "openai", model, calls },
    input_tokens: 7 * calls,
    output_tokens: 30 * calls,
    total_tokens: 37 * calls,
    estimated: false,
    cost: { usd: null, approximate: false, unknown_calls: calls },
  });
  assert.deepEqual(await read(ada), [
    200,
    { from: "2023-10-16", to: day, usage: [sum("m-1", 2), sum("m-2", 1)] },
  ]);
  const one = { from: day, to: day };
  assert.deepEqual(await read(ada, `?from=${day}&to=${day}`), [
    200,
    { ...one, usage: [sum("m-1", 2), sum("m-2", 1)] },
  ]);
  assert.deepEqual(await read(bob, `?from=${day}&to=${day}`), [200, { ...one, usage: [] }]);
  for (const query of ["?from=2023-11-15", "?from=2020-01-01", "?to=yesterday", "?from=2023-02-30"])
    assert.equal((await read(ada, query))[0], 400, query);
  assert.equal((await fetch(`${stage.server.httpUrl}/api/usage`)).status, 401);
});

test("usage of more models than one page of the store holds is one whole answer", async () => {
  await using stage = await startBudgetStage();
  const models = Array.from({ length: 2 * sumsOfPage + 1 }, (_, index) => `m${index}`).toSorted();
  const database = openBeside(path.join(stage.folder, "troupe.db"));
  const insert = database.prepare(
    `INSERT INTO usage_days (owner, day, key_id, api, model, calls, input_tokens, output_tokens, estimated)
      VALUES ('anonymous', 19675, 'k', 'openai', ?, 1, 7, 30, 0)`,
  );
  for (const model of models) insert.run(model);
  database.close();
  const response = await fetch(`${stage.server.httpUrl}/api/usage?from=2023-11-14&to=2023-11-14`);
  const { usage } = (await response.json()) as { usage: { model: string; total_tokens: number }[] };
  assert.deepEqual(
    usage.map(({ model, total_tokens }) => [model, total_tokens]),
    models.map((model) => [model, 37]),
  );
});
