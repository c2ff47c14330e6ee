import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../../doubles/answer.ts";
import { httpError, streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { startSystem } from "./http-client.ts";

const authorization = "Bearer ada-0123456789abcdef";

for (const store of ["memory", "sqlite"] as const) {
  test(`the state of a request while it runs and when it has ended, kept in ${store}`, async () => {
    await using upstream = await createUpstreamDouble();
    const events = answer({ deltas: ["Half ", "an ", "answer"] });
    upstream.respond([...streamScript(events.slice(0, 6)), { hang: true }]);
    await using system = await startSystem({ store, openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
    const client = await system.server.connect({ headers: { authorization } });
    const state = async (id: string) => (await system.call("GET", `/api/requests/${id}`)).body;
    client.send({ type: "chat", id: "r-1", data: { message: "Hi", persona_id: "teacher" } });
    await client.next((message) => message.type === "chunk");
    const running = (await state("r-1")) as Record<string, unknown>;
    const { head_seq, conversation_id, ...rest } = running;
    assert.deepEqual(rest, { request_id: "r-1", state: "running" });
    assert.ok(Number(head_seq) >= 4 && typeof conversation_id === "string");
    client.send({ type: "cancel", data: { request_id: "r-1" } });
    const terminal = (await client.untilTerminal("r-1")).at(-1);
    assert.deepEqual(await state("r-1"), {
      request_id: "r-1",
      state: "ended",
      head_seq: terminal?.type === "response" && terminal.seq,
      conversation_id,
      status: "cancelled",
    });

    upstream.respond(streamScript(answer({ text: "Whole." })));
    client.send({ type: "openai_chat", id: "r-2", data: { input_text: "Hi" } });
    const seq = (await client.untilTerminal("r-2")).length;
    assert.deepEqual(await state("r-2"), {
      request_id: "r-2",
      state: "ended",
      head_seq: seq,
      status: "completed",
    });

    const refused = { message: "No.", type: "invalid_request_error", code: "invalid_api_key", param: null };
    upstream.respond(httpError(401, refused));
    client.send({ type: "chat", id: "r-3", data: { message: "Hi", persona_id: "teacher" } });
    const error = (await client.untilTerminal("r-3")).at(-1);
    assert.ok(error?.type === "error");
    const failed = (await state("r-3")) as Record<string, unknown>;
    assert.deepEqual(failed.status, "failed");
    assert.deepEqual(failed.error, {
      code: "upstream_auth",
      message: error.message,
      retryable: false,
    });
  });

  test(`another owner's request answers exactly like one that never was, kept in ${store}`, async () => {
    await using system = await startSystem({ store });
    await system.ask("hers", "Hi");
    const answerTo = async (id: string) => {
      const { status, body } = await system.call("GET", `/api/requests/${id}`, { owner: "bob" });
      return [status, body];
    };
    const never = await answerTo("never-was");
    assert.deepEqual(never, [404, { code: "request_not_found", message: "There is no such request." }]);
    for (const id of ["hers", "HERS", "%00", "a%2Fb", "hers%20", "x".repeat(129), "%ff", "%E4%B8%96"])
      assert.deepEqual(await answerTo(id), never, id);
    assert.equal((await system.call("GET", "/api/requests/hers", { owner: null })).status, 401);
  });

  test(`a request that runs while its conversation is deleted goes on to its end, kept in ${store}`, async () => {
    await using upstream = await createUpstreamDouble();
    const events = answer({ deltas: ["Half ", "an ", "answer"] });
    upstream.respond([...streamScript(events.slice(0, 6)), { hang: true }]);
    await using system = await startSystem({ store, openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
    const client = await system.server.connect({ headers: { authorization } });
    client.send({ type: "chat", id: "r-1", data: { message: "Hi", persona_id: "teacher" } });
    await client.next((message) => message.type === "chunk");
    const { conversation_id } = (await system.call("GET", "/api/requests/r-1")).body as Record<
      string,
      string
    >;
    assert.equal((await system.call("DELETE", `/api/conversations/${conversation_id}`)).status, 204);
    client.send({ type: "cancel", data: { request_id: "r-1" } });
    const terminal = (await client.untilTerminal("r-1")).at(-1);
    assert.ok(terminal?.type === "response" && terminal.request_type === "chat");
    assert.equal(terminal.status, "cancelled");
    assert.equal(terminal.data.message_id, undefined);
    assert.deepEqual((await system.call("GET", "/api/conversations?q=half")).body, { matches: [] });
    assert.deepEqual((await system.call("GET", "/api/conversations")).body, { conversations: [] });
  });
}
