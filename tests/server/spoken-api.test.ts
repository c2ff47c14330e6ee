import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chunk, done, finish, text, usageChunk } from "../adapters/chat-completions/chat-setup.ts";
import type { Script } from "../doubles/script.ts";
import { httpError, plainResponse, streamHead, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { answerByDefault } from "../doubles/upstream-routes.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { textOf, type WireClient } from "../support/wire-client.ts";

const noRoute = plainResponse(404, "404 page not found", { "content-type": "text/plain" });
const words = [chunk({ role: "assistant", content: "" }), text("It "), text("rains."), finish("stop")];
const answer = streamScript([...words, usageChunk, done]);

interface Stage extends AsyncDisposable {
  readonly upstream: UpstreamDouble;
  readonly client: WireClient;
  /** The routes that were called so far. */
  paths(): string[];
  ask(data?: object): ReturnType<WireClient["untilTerminal"]>;
}

/** A server whose local server answers its two routes with these scripts. */
async function openStage(chat: Script, responses: Script | undefined): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble({ models: ["llama3.2"] }));
  upstream.respond((request, index) => {
    if (request.path === "/v1/chat/completions") return chat;
    return responses ?? answerByDefault(request, index);
  });
  const server = stack.use(await startTroupe({ localProviders: [upstream.baseUrl], pacing: "raw" }));
  const client = await server.connect();
  return {
    ...{ upstream, client },
    paths: () => upstream.requests.map(({ path }) => path.replace("/v1/", "")),
    ask(data = {}) {
      client.send({ type: "openai_chat", data: { input_text: "Rain?", ...data } });
      return client.untilTerminal();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe("a local server that has only Chat Completions", () => {
  const refusals: readonly (readonly [string, Script])[] = [
    ["404 as text", noRoute],
    ["404 as an error", httpError(404, { message: "File Not Found", type: "not_found_error", code: null })],
    ["404 of FastAPI", plainResponse(404, { detail: "Not Found" })],
    ["405", plainResponse(405, { detail: "Method Not Allowed" })],
    [
      "200 of LM Studio",
      plainResponse(200, { error: "Unexpected endpoint or method. (POST /v1/responses)" }),
    ],
    ["501", httpError(501, "not implemented")],
  ];
  for (const [name, refusal] of refusals)
    it(`answers, found by the first call and remembered: ${name}`, async () => {
      await using stage = await openStage(answer, refusal);
      for (const _ of [1, 2]) {
        const messages = await stage.ask();
        assert.equal(textOf(messages), "It rains.");
        const states = messages.flatMap((message) => (message.type === "status" ? [message.status] : []));
        assert.deepEqual(states, [...new Set(states)], "each once");
        const last = messages.at(-1);
        assert.ok(last?.type === "response" && last.request_type === "openai_chat");
        const { id, object, status, output_text, usage } = last.data as Record<string, unknown>;
        assert.match(String(id), /^resp_[\w-]{36}$/);
        assert.deepEqual([object, status], ["response", "completed"]);
        assert.deepEqual([last.finish_reason, output_text], ["stop", "It rains."]);
        assert.deepEqual(usage, { input_tokens: 12, output_tokens: 3, total_tokens: 15 });
      }
      assert.deepEqual(stage.paths(), ["responses", "chat/completions", "chat/completions"]);
    });

  it("answers each voice of a discussion", async () => {
    await using stage = await openStage(answer, noRoute);
    const persona_ids = ["teacher", "skeptic", "historian"];
    stage.client.send({ type: "multi_chat", data: { message: "Rain?", persona_ids } });
    const messages = await stage.client.untilTerminal();
    for (const id of persona_ids) assert.equal(textOf(messages, id), "It rains.");
    const last = messages.at(-1);
    assert.equal(last?.type, "response");
  });

  it("calls a function, whose call the client reads as from the Responses API", async () => {
    const call = { index: 0, id: "call_7", function: { name: "rain", arguments: "{}" } };
    const script = streamScript([chunk({ tool_calls: [call] }), finish("tool_calls"), done]);
    await using stage = await openStage(script, noRoute);
    const tools = [{ type: "function", name: "rain", parameters: { type: "object" }, strict: false }];
    const messages = await stage.ask({ tools });
    const told = messages.findLast((message) => message.type === "tool");
    assert.ok(told?.type === "tool" && told.tool === "function" && told.status === "completed");
    assert.equal(told.call_id, "call_7");
    const last = messages.at(-1);
    assert.ok(last?.type === "response" && last.finish_reason === "tool_calls");
  });

  it("stops with its request: the connection is closed", async () => {
    const script = [streamHead(), { write: text("It ") }, { hang: true } as const];
    await using stage = await openStage(script, noRoute);
    stage.client.send({ type: "openai_chat", id: "r", data: { input_text: "Rain?" } });
    await stage.client.next(({ type }) => type === "chunk");
    stage.client.send({ type: "cancel", data: { request_id: "r" } });
    const last = (await stage.client.untilTerminal("r")).at(-1);
    assert.ok(last?.type === "response" && last.finish_reason === "cancelled");
    const request = stage.upstream.requests.at(-1);
    assert.ok(request !== undefined);
    await stage.upstream.closed(request);
  });
});

describe("a local server, which keeps no response", () => {
  it("continues one with the context, from its first call after a restart on", async () => {
    for (const responses of [noRoute, undefined]) {
      await using stage = await openStage(answer, responses);
      const ids: unknown[] = [];
      for (const input_text of ["One?", "Two?", "Three?"]) {
        const previous = ids.at(-1);
        const messages = await stage.ask({
          input_text,
          ...(previous === undefined ? {} : { previous_response_id: previous }),
        });
        const last = messages.at(-1);
        assert.ok(last?.type === "response" && last.request_type === "openai_chat", JSON.stringify(last));
        ids.push(last.data.id);
      }
      const body = stage.upstream.requests.at(-1)?.body as Record<string, unknown>;
      const context = JSON.stringify(body.messages ?? body.input);
      for (const question of ["One?", "Two?", "Three?"])
        assert.equal(context.split(question).length, 2, `${question} once in ${context}`);
      assert.equal("previous_response_id" in body, false);
    }
  });
});

describe("a local server with the Responses API", () => {
  it("is never asked for anything else", async () => {
    await using stage = await openStage(answer, undefined);
    assert.equal((await stage.ask()).at(-1)?.type, "response");
    assert.equal((await stage.ask()).at(-1)?.type, "response");
    assert.deepEqual(stage.paths(), ["responses", "responses"]);
  });

  it("is believed that it lacks the model", async () => {
    const message = "model 'llama3.2' not found, try pulling it first";
    await using stage = await openStage(answer, httpError(404, { message, type: "api_error", code: null }));
    const last = (await stage.ask()).at(-1);
    assert.ok(last?.type === "error" && last.code === "model_not_found");
    assert.deepEqual(stage.paths(), ["responses"]);
  });

  it("is believed that a request is wrong", async () => {
    const wrong = httpError(400, { message: "no", type: "invalid_request_error", code: null });
    await using stage = await openStage(answer, wrong);
    const last = (await stage.ask()).at(-1);
    assert.ok(last?.type === "error" && last.code === "upstream_invalid_request");
    assert.deepEqual(stage.paths(), ["responses"]);
  });
});

describe("a local server with neither API", () => {
  it("ends each request with its first refusal", async () => {
    await using stage = await openStage(noRoute, plainResponse(405, "no"));
    for (const _ of [1, 2]) {
      const last = (await stage.ask()).at(-1);
      assert.ok(last?.type === "error" && last.code === "upstream_invalid_request");
      assert.match(last.message, /There is no Responses API at this address/);
    }
    const both = ["responses", "chat/completions"];
    assert.deepEqual(stage.paths(), [...both, ...both]);
  });
});
