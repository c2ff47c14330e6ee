import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAnthropicProvider } from "../../src/adapters/anthropic/anthropic-provider.ts";
import { createChatProvider } from "../../src/adapters/chat-completions/chat-provider.ts";
import { chatDialectOf } from "../../src/adapters/chat-completions/dialects.ts";
import { systemClock } from "../../src/adapters/system/system.ts";
import { createUpstreamAgents } from "../../src/adapters/upstream/upstream-call.ts";
import * as claude from "../adapters/anthropic/anthropic-setup.ts";
import * as chat from "../adapters/chat-completions/chat-setup.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";

type Body = { readonly messages: readonly Record<string, unknown>[] };

const tools = [{ type: "function", name: "rain", parameters: { type: "object" } }];
const include = ["reasoning.encrypted_content"];
const rain = { index: 0, id: "call_1", function: { name: "rain", arguments: "{}" } };

const thinks = [
  claude.open({ type: "thinking", thinking: "", signature: "" }, 0),
  ...[claude.think("Hm.", 0), claude.sign("s-1", 0), claude.close(0)],
  claude.open({ type: "redacted_thinking", data: "r-1" }, 1),
  claude.close(1),
];
const claudeCalls = streamScript([
  ...[claude.begin(), ...thinks],
  claude.open({ type: "tool_use", id: "call_1", name: "rain", input: {} }, 2),
  ...[claude.close(2), claude.reason("tool_use"), claude.stop],
]);
const deepseekCalls = streamScript([
  ...[chat.chunk({ reasoning_content: "Hm. Ränn?" }), chat.chunk({ tool_calls: [rain] })],
  ...[chat.finish("tool_calls"), chat.done],
]);

/** A server that asks one upstream over an API. The first answer calls a function. */
async function openStage(api: "anthropic" | "deepseek" | "llama", key = "key-of-a-test") {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  const agents = stack.use(createUpstreamAgents());
  const options = { agents, clock: systemClock, apiKey: key, baseUrl: upstream.baseUrl, idleMs: 60_000 };
  const provider =
    api === "anthropic"
      ? createAnthropicProvider(options)
      : createChatProvider({ ...options, dialect: { wantsReasoning: api === "deepseek" } });
  const calls = api === "anthropic" ? claudeCalls : deepseekCalls;
  const says =
    api === "anthropic" ? [claude.says("Yes.")] : [chat.text("Yes."), chat.finish("stop"), chat.done];
  upstream.respond((_, index) => (index === 0 ? calls : streamScript(says)));
  const choose = (name: string) => ({ provider, api: name, model: "model-1" });
  const server = stack.use(await startTroupe({ providers: { choose }, pacing: "raw" }));
  const client = await server.connect();
  const ask = async (data: object) => {
    client.send({ type: "openai_chat", data: { tools, ...data } });
    const last = (await client.untilTerminal()).at(-1);
    assert.ok(last?.type === "response" && last.request_type === "openai_chat", JSON.stringify(last));
    return last.data;
  };
  const sent = () => (upstream.requests.at(-1)?.body as Body | undefined)?.messages ?? [];
  return { ask, sent, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const question = { role: "user", content: "Rain?" };
const result = { type: "function_call_output", call_id: "call_1", output: "yes" };
const withInclude = { options: { include } };

describe("reasoning that led to a call", () => {
  it("comes signed to a client that keeps the history, and goes back to Claude", async () => {
    await using stage = await openStage("anthropic");
    const { output } = await stage.ask({ input: [question], ...withInclude });
    await stage.ask({ input: [question, ...(output as object[]), result], ...withInclude });
    assert.deepEqual(stage.sent()[1], {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "Hm.", signature: "s-1" },
        { type: "redacted_thinking", data: "r-1" },
        { type: "tool_use", id: "call_1", name: "rain", input: {} },
      ],
    });
  });

  it("does not come if nobody asked for it", async () => {
    await using stage = await openStage("anthropic");
    const { output } = await stage.ask({ input: [question] });
    assert.deepEqual(
      (output as { type: string }[]).map(({ type }) => type),
      ["function_call"],
    );
  });

  it("goes to no other account", async () => {
    await using stage = await openStage("anthropic");
    const { output } = await stage.ask({ input: [question], ...withInclude });
    await using other = await openStage("anthropic", "another-key");
    await other.ask({ input: [question, ...(output as object[]), result], ...withInclude });
    assert.equal(JSON.stringify(other.sent()).includes("s-1"), false);
  });

  const forms = { "from the server's own store": false, "from a client's history": true };
  for (const [name, isKept] of Object.entries(forms))
    it(`goes back to DeepSeek ${name}`, async () => {
      await using stage = await openStage("deepseek");
      const { id, output } = await stage.ask({ input: [question], ...(isKept ? withInclude : {}) });
      await stage.ask(
        isKept
          ? { input: [question, ...(output as object[]), result] }
          : { input: [result], previous_response_id: id },
      );
      const { index: _, ...call } = rain;
      assert.deepEqual(stage.sent()[1], {
        ...{ role: "assistant", content: null },
        tool_calls: [{ type: "function", ...call }],
        reasoning_content: "Hm. Ränn?",
      });
    });

  it("goes to no other server with Chat Completions, because they refuse the field", async () => {
    await using stage = await openStage("llama");
    const { id } = await stage.ask({ input: [question] });
    await stage.ask({ input: [result], previous_response_id: id });
    assert.equal(JSON.stringify(stage.sent()).includes("reasoning_content"), false);
    assert.deepEqual(
      ["https://api.deepseek.com/v1", "https://api.groq.com/openai/v1"].map(
        (url) => chatDialectOf(url).wantsReasoning,
      ),
      [true, false],
    );
  });
});
