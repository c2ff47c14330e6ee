import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { textOf } from "../support/wire-client.ts";
import { ask, endsOf, fourTokens, startBudgetStage, totalOf } from "./budget-stage.ts";

test("a budget used up in mid-stream closes the call, keeps the text shown and completes", async () => {
  await using stage = await startBudgetStage();
  const client = await stage.server.connect();
  client.send(ask("mid", { budget_tokens: 500 }));
  const messages = await client.untilTerminal("mid");
  const end = messages.at(-1);
  assert.ok(end?.type === "response" && end.status === "completed" && end.finish_reason === "budget");
  const data = end.data as Record<string, unknown>;
  assert.equal(data.output_text, textOf(messages));
  assert.deepEqual([data.status, data.finish_reason], ["incomplete", "budget"]);
  const call = await stage.upstream.received(1);
  await stage.upstream.closed(call);
  assert.equal(call.finished, false);
  assert.equal(stage.upstream.openConnections(), 0);
  assert.equal((call.body as { max_output_tokens: number }).max_output_tokens, 499);
  const [row, ...others] = await stage.rows();
  assert.equal(others.length, 0);
  assert.deepEqual(
    [row?.request_id, row?.outcome, row?.estimated, row?.input_tokens],
    ["mid", "budget", 1, 1],
  );
  assert.equal(row?.output_tokens, Math.ceil(textOf(messages).length / 4));
  assert.ok(Math.abs(Number(row?.total_tokens) - 500) <= 64);
});

test("a limit that the client sets stays, and the rest of the budget is never exceeded", async () => {
  await using stage = await startBudgetStage();
  const client = await stage.server.connect();
  for (const [id, budget_tokens, most, sent] of [
    ["below", 500, 100, 100],
    ["above", 500, 5_000, 498],
    ["without", undefined, undefined, undefined],
    ["plenty", 1_000_000, undefined, undefined],
  ] as const) {
    client.send(ask(id, { budget_tokens, options: { max_output_tokens: most } }));
    await client.next((message) => message.type === "chunk" && message.request_id === id);
    const body = stage.upstream.requests.at(-1)?.body as { max_output_tokens?: number };
    assert.equal(body.max_output_tokens, sent, id);
    client.send({ type: "cancel", data: { request_id: id } });
    await client.untilTerminal(id);
  }
});

test("the same id with another budget is another request", async () => {
  await using stage = await startBudgetStage();
  const client = await stage.server.connect();
  client.send(ask("same", { budget_tokens: 100 }));
  const [first] = await endsOf(client, ["same"]);
  assert.ok(first?.type === "response");
  client.send(ask("same", { budget_tokens: 200 }));
  const [second] = await endsOf(client, ["same"]);
  assert.ok(second?.type === "error" && second.code === "request_id_conflict");
  client.send(ask("same", { budget_tokens: 100 }));
  const again = await client.next((message) => message.type === "response");
  assert.deepEqual(again, first);
  assert.equal((await stage.rows()).length, 1);
});

test("personas share a request's budget: each gets a part, and together they stay within it", async () => {
  await using stage = await startBudgetStage();
  const client = await stage.server.connect();
  const { personas } = (await (await fetch(`${stage.server.httpUrl}/api/personas`)).json()) as {
    personas: { id: string }[];
  };
  const persona_ids = personas.map(({ id }) => id);
  for (const stream of [true, false]) {
    const id = `shared-${stream}`;
    const data = { message: "Hi", persona_ids, stream, budget_tokens: 12_000, conversation_id: "new" };
    client.send({ type: "multi_chat", id, data });
    const end = (await client.untilTerminal(id)).at(-1);
    assert.ok(
      end?.type === "response" && end.request_type === "multi_chat" && end.finish_reason === "budget",
    );
    assert.ok(
      end.data.responses.every(
        ({ status, finish_reason }) => status === "completed" && finish_reason === "budget",
      ),
    );
    const rows = (await stage.rows()).filter(({ request_id }) => request_id === id);
    assert.deepEqual(
      rows.map(({ lane }) => lane),
      persona_ids,
    );
    assert.ok(totalOf(rows) <= 12_000 + 256 && totalOf(rows) > 10_000, String(totalOf(rows)));
    assert.equal(end.data.usage?.total_tokens, totalOf(rows));
  }
});

test("a lane without room fails beside the others; if no lane has room, the request fails with the budget's own code", async () => {
  await using stage = await startBudgetStage();
  const client = await stage.server.connect();
  const persona_ids = ["teacher", "skeptic", "historian"];
  client.send({ type: "multi_chat", id: "some", data: { message: "Hi", persona_ids, budget_tokens: 700 } });
  const messages = await client.untilTerminal("some");
  const end = messages.at(-1);
  assert.ok(end?.type === "response" && end.request_type === "multi_chat" && end.data.outcome === "degraded");
  const lanes = end.data.responses.map(({ status, error }) => error?.code ?? status);
  assert.ok(lanes.includes("completed") && lanes.includes("budget_exhausted"), String(lanes));
  for (const { persona_id, error } of end.data.responses) {
    if (error === undefined) continue;
    assert.equal(error.retryable, false);
    const shown = messages.filter((message) => "persona_id" in message && message.persona_id === persona_id);
    assert.deepEqual(
      shown.map((message) => (message.type === "status" ? message.status : message.type)),
      ["starting", "chunk", "persona_response"],
    );
  }
  const begun = stage.upstream.requests.length;
  client.send({ type: "multi_chat", id: "none", data: { message: "Hi", persona_ids, budget_tokens: 20 } });
  const [none] = await endsOf(client, ["none"]);
  assert.ok(
    none?.type === "error" && none.code === "budget_exhausted" && none.seq !== undefined && !none.retryable,
  );
  assert.equal(stage.upstream.requests.length, begun);
  assert.equal((await stage.rows()).length, begun);
});

test("a response in the background is cancelled at the vendor when its budget is used up", async () => {
  await using stage = await startBudgetStage();
  const deltas = Array.from({ length: 100 }, () => fourTokens);
  stage.upstream.respond([...streamScript(answer({ deltas }).slice(0, 100)), { hang: true }]);
  const client = await stage.server.connect();
  client.send(ask("behind", { budget_tokens: 100, options: { background: true } }));
  const [end] = await endsOf(client, ["behind"]);
  assert.ok(end?.type === "response" && end.finish_reason === "budget");
  assert.match(stage.upstream.sideRequests.at(-1)?.path ?? "", /\/responses\/.+\/cancel$/);
});
