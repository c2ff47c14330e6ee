import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAnthropicProvider } from "../../src/adapters/anthropic/anthropic-provider.ts";
import { systemClock } from "../../src/adapters/system/system.ts";
import { createUpstreamAgents } from "../../src/adapters/upstream/upstream-call.ts";
import {
  args,
  begin,
  close,
  failure,
  open,
  openText,
  reason,
  says,
  sign,
  stop,
  text,
  think,
} from "../adapters/anthropic/anthropic-setup.ts";
import type { Script } from "../doubles/script.ts";
import { streamHead, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { textOf } from "../support/wire-client.ts";

/** A server whose `api: "anthropic"` is answered by these scripts, one a call; the last one answers all further calls. */
async function openStage(...scripts: readonly Script[]) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  upstream.respond((_, index) => scripts[Math.min(index, scripts.length - 1)] ?? []);
  const agents = stack.use(createUpstreamAgents());
  const clock = systemClock;
  const options = { agents, clock, apiKey: "key-of-a-test", baseUrl: upstream.baseUrl, idleMs: 60_000 };
  const provider = createAnthropicProvider(options);
  const choose = (api: string, model = "claude-sonnet-5") => ({ provider, api, model });
  const server = stack.use(await startTroupe({ providers: { choose }, pacing: "raw" }));
  const client = await server.connect();
  const ask = (type: string, data: object, id?: string) => {
    client.send({ type, ...(id === undefined ? {} : { id }), data: { api: "anthropic", ...data } });
    return client.untilTerminal(id);
  };
  return { upstream, client, ask, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const answer = streamScript([says("It rains.")]);
const tools = [{ type: "function", name: "rain", parameters: { type: "object" }, strict: false }];
const call = [
  open({ type: "tool_use", id: "toolu_1", name: "rain", input: {} }, 1),
  args('{"at":"noon"}', 1),
  close(1),
];
const thought = [open({ type: "thinking", thinking: "", signature: "" }), think("Hm."), sign("s-1"), close()];
const called = streamScript([begin(), ...thought, ...call, reason("tool_use"), stop]);

describe("a server whose answers come over the Messages API", () => {
  it("answers openai_chat with a response object, and each voice of a discussion", async () => {
    await using stage = await openStage(answer);
    const messages = await stage.ask("openai_chat", { input_text: "Rain?", include_reasoning: true });
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
    assert.ok(told?.type === "tool" && told.call_id === "toolu_1" && told.status === "completed");
    const end = first.at(-1);
    assert.ok(end?.type === "response" && end.request_type === "openai_chat");
    assert.equal(end.finish_reason, "tool_calls");
    const output = end.data.output as readonly object[];
    const result = { type: "function_call_output", call_id: "toolu_1", output: "yes" };
    const input = [{ role: "user", content: "Rain?" }, ...output, result];
    assert.equal(textOf(await stage.ask("openai_chat", { input, tools })), "It rains.");
    const body = stage.upstream.requests[1]?.body as { readonly messages: unknown };
    assert.deepEqual(body.messages, [
      { role: "user", content: "Rain?" },
      {
        role: "assistant",
        content: [{ type: "tool_use", id: "toolu_1", name: "rain", input: { at: "noon" } }],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "yes" }] },
    ]);
  });

  it("asks again after an overload inside the stream, while nothing was shown", async () => {
    const overload = failure("overloaded_error", "Overloaded. Please try again in 1ms.");
    await using stage = await openStage(streamScript([begin() + overload]), answer);
    const messages = await stage.ask("chat", { message: "Rain?", persona_id: "teacher" });
    assert.deepEqual([textOf(messages), stage.upstream.calls], ["It rains.", 2]);
    assert.equal(messages.at(-1)?.type, "response");
  });

  it("ends with the error if something was shown", async () => {
    const begun = [begin(), openText(), text("It "), failure("overloaded_error")];
    await using stage = await openStage(streamScript(begun));
    const last = (await stage.ask("openai_chat", { input_text: "Rain?" })).at(-1);
    assert.ok(last?.type === "error");
    assert.deepEqual([last.code, stage.upstream.calls], ["upstream_overloaded", 1]);
  });

  it("stops with its request: the socket is closed", async () => {
    const begun = begin() + openText() + text("It ");
    await using stage = await openStage([streamHead(), { write: begun }, { hang: true }]);
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
