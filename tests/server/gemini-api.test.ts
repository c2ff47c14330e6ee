import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { createGeminiProvider } from "../../src/adapters/gemini/gemini-provider.ts";
import { systemClock } from "../../src/adapters/system/system.ts";
import { createUpstreamAgents } from "../../src/adapters/upstream/upstream-call.ts";
import { call, chunk, finish, frame, text, thought } from "../adapters/gemini/gemini-setup.ts";
import type { Script } from "../doubles/script.ts";
import { streamHead, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { textOf } from "../support/wire-client.ts";

/** A server whose `api: "gemini"` is answered by these scripts, one a call; the last one answers all further calls. */
async function openStage(...scripts: readonly Script[]) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  upstream.respond((_, index) => scripts[Math.min(index, scripts.length - 1)] ?? []);
  const agents = stack.use(createUpstreamAgents());
  const clock = systemClock;
  const options = { agents, clock, apiKey: "key-of-a-test", baseUrl: upstream.baseUrl, idleMs: 60_000 };
  const provider = createGeminiProvider(options);
  const choose = (api: string, model = "gemini-3-pro") => ({ provider, api, model });
  const server = stack.use(await startTroupe({ providers: { choose }, pacing: "raw" }));
  const client = await server.connect();
  const ask = (type: string, data: object, id?: string) => {
    client.send({ type, ...(id === undefined ? {} : { id }), data: { api: "gemini", ...data } });
    return client.untilTerminal(id);
  };
  return { upstream, client, ask, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const sent = z.object({ contents: z.array(z.unknown()) });
const signed = chunk([{ text: "", thoughtSignature: "sig-1" }], { finishReason: "STOP" });
const answer = streamScript([text("It "), text("rains."), signed]);
const tools = [{ type: "function", name: "rain", parameters: { type: "object" } }];
const rain = call({ name: "rain", args: { at: "noon" } }, { thoughtSignature: "sig-2" });
const called = streamScript([thought("Hm."), rain, finish("STOP")]);

describe("a server whose answers come over the Gemini API", () => {
  it("answers openai_chat with a response object, and each voice of a discussion", async () => {
    await using stage = await openStage(answer);
    const messages = await stage.ask("openai_chat", { input_text: "Rain?" });
    assert.equal(textOf(messages), "It rains.");
    const last = messages.at(-1);
    assert.ok(last?.type === "response" && last.request_type === "openai_chat");
    assert.deepEqual(
      [
        /^resp_[\w-]{36}$/.test(String(last.data.id)),
        last.data.status,
        last.data.output_text,
        last.finish_reason,
      ],
      [true, "completed", "It rains.", "stop"],
    );
    const persona_ids = ["teacher", "skeptic", "historian"];
    const discussion = await stage.ask("multi_chat", { message: "Rain?", persona_ids });
    for (const id of persona_ids) assert.equal(textOf(discussion, id), "It rains.");
  });

  it("shows the reasoning, and makes a whole round of a function", async () => {
    await using stage = await openStage(called, answer);
    const first = await stage.ask("openai_chat", { input_text: "Rain?", tools, include_reasoning: true });
    const reasoning = first.flatMap((message) => (message.type === "reasoning" ? message.text : []));
    assert.equal(reasoning.join(""), "Hm.");
    const told = first.findLast((message) => message.type === "tool");
    assert.ok(told?.type === "tool" && told.status === "completed");
    const end = first.at(-1);
    assert.ok(end?.type === "response" && end.request_type === "openai_chat");
    assert.equal(end.finish_reason, "tool_calls");
    const output = end.data.output as readonly object[];
    const result = { type: "function_call_output", call_id: told.call_id, output: "yes" };
    const input = [{ role: "user", content: "Rain?" }, ...output, result];
    assert.equal(textOf(await stage.ask("openai_chat", { input, tools })), "It rains.");
    const { contents } = sent.parse(stage.upstream.requests[1]?.body);
    const functionCall = { name: "rain", args: { at: "noon" } };
    assert.deepEqual(contents, [
      { role: "user", parts: [{ text: "Rain?" }] },
      // A client cannot bring a signature.
      { role: "model", parts: [{ functionCall, thoughtSignature: "skip_thought_signature_validator" }] },
      { role: "user", parts: [{ functionResponse: { name: "rain", response: { output: "yes" } } }] },
    ]);
  });

  it("keeps a signature with its answer, and sends it back in the next request", async () => {
    await using stage = await openStage(answer);
    const data = { message: "Rain?", persona_id: "teacher" };
    const last = (await stage.ask("chat", data)).at(-1);
    assert.ok(last?.type === "response" && "conversation_id" in last.data);
    const { conversation_id } = last.data;
    await stage.ask("chat", { ...data, message: "Sure?", conversation_id });
    const { contents } = sent.parse(stage.upstream.requests[1]?.body);
    assert.deepEqual(contents.slice(0, 2), [
      { role: "user", parts: [{ text: "Rain?" }] },
      { role: "model", parts: [{ text: "It rains.", thoughtSignature: "sig-1" }] },
    ]);
  });

  it("continues a response from the server's own store, with its signature", async () => {
    await using stage = await openStage(answer);
    const last = (await stage.ask("openai_chat", { input_text: "Rain?" })).at(-1);
    assert.ok(last?.type === "response" && last.request_type === "openai_chat");
    const previous_response_id = last.data.id;
    assert.equal(
      textOf(await stage.ask("openai_chat", { input_text: "Sure?", previous_response_id })),
      "It rains.",
    );
    const { contents } = sent.parse(stage.upstream.requests.at(-1)?.body);
    assert.deepEqual(contents, [
      { role: "user", parts: [{ text: "Rain?" }] },
      { role: "model", parts: [{ text: "It rains.", thoughtSignature: "sig-1" }] },
      { role: "user", parts: [{ text: "Sure?" }] },
    ]);
  });

  it("repeats a call while nothing was shown, and ends it with one error after that", async () => {
    const malformed = frame({ candidates: [{ finishReason: "MALFORMED_FUNCTION_CALL" }] });
    await using stage = await openStage(streamScript([malformed]), answer);
    assert.equal(textOf(await stage.ask("openai_chat", { input_text: "Rain?" })), "It rains.");
    assert.equal(stage.upstream.calls, 2);
    stage.upstream.respond(streamScript([text("It "), malformed]));
    const messages = await stage.ask("openai_chat", { input_text: "Rain?" });
    const last = messages.at(-1);
    assert.ok(last?.type === "error");
    assert.equal(last.code, "upstream_error");
  });

  it("closes the socket of a call that is cancelled", async () => {
    await using stage = await openStage([streamHead(), { write: text("It ") }, { hang: true }]);
    const ended = stage.ask("openai_chat", { input_text: "Rain?" }, "r");
    await stage.client.next(({ type }) => type === "chunk");
    stage.client.send({ type: "cancel", data: { request_id: "r" } });
    const last = (await ended).at(-1);
    assert.ok(last?.type === "response" && last.finish_reason === "cancelled");
    const [request] = stage.upstream.requests;
    assert.ok(request !== undefined);
    await stage.upstream.closed(request);
  });
});
