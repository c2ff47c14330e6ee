import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LLMock } from "@copilotkit/aimock";
import OpenAI from "openai";
import { createChatProvider } from "../../../src/adapters/chat-completions/chat-provider.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { type Item, textMessage } from "../../../src/ports/item.ts";
import type { ProviderEvent, ProviderRequest } from "../../../src/ports/provider.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { chunk, done, finish, text, usageChunk } from "./chat-setup.ts";

describe("neither side of a test is ours alone", () => {
  it("an independent upstream: text, usage, and a function call with its result", async () => {
    const mock = new LLMock({ port: 0, logLevel: "silent" });
    mock.onMessage("hello", { content: "Hi there, this is the other side." });
    mock.onMessage("weather", { toolCalls: [{ name: "get_weather", arguments: '{"city":"Oslo"}' }] });
    await mock.start();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => mock.stop());
    const agents = stack.use(createUpstreamAgents());
    const provider = createChatProvider({
      ...{ agents, clock: createTestClock(), apiKey: "key-of-a-test", baseUrl: `${mock.url}/v1` },
      ...{ firstByteMs: 60_000, idleMs: 60_000 },
    });
    const ask = async (input: readonly Item[], more: Partial<ProviderRequest> = {}) => {
      const events: ProviderEvent[] = [];
      const call = { signal: new AbortController().signal };
      for await (const batch of provider.stream({ model: "gpt-4o-mini", input, ...more }, call))
        events.push(...batch);
      const said = events.map((event) => (event.type === "text" ? event.text : "")).join("");
      const end = events.at(-1);
      assert.ok(end?.type === "end");
      return { said, end };
    };

    const hello = await ask([textMessage("user", "hello")]);
    assert.deepEqual([hello.said, hello.end.finishReason], ["Hi there, this is the other side.", "stop"]);
    assert.ok((hello.end.usage?.outputTokens ?? 0) > 0);

    const functions = [{ name: "get_weather", parameters: { type: "object" } }];
    const question = textMessage("user", "weather");
    const called = await ask([question], { functions });
    const [call] = called.end.items ?? [];
    assert.equal(called.end.finishReason, "tool_calls");
    assert.ok(call?.type === "tool-call" && call.name === "get_weather");
    const output = [{ type: "text", text: "Rain." }] as const;
    const result: Item = { type: "tool-result", callId: call.callId, output };
    const after = await ask([question, call, result, textMessage("user", "hello")], { functions });
    assert.equal(after.said, hello.said);
    const sent = mock.getRequests().at(-1)?.body as { messages?: readonly { role: string }[] } | undefined;
    assert.deepEqual(
      sent?.messages?.map(({ role }) => role),
      ["user", "assistant", "tool", "user"],
    );
  });

  it("the official client reads the streams of these tests", async () => {
    await using double = await createUpstreamDouble();
    const call = { index: 0, id: "call_7", type: "function", function: { name: "rain", arguments: "{}" } };
    const events = [
      chunk({ role: "assistant", content: "" }),
      text("It "),
      text("rains."),
      chunk({ tool_calls: [call] }),
      finish("tool_calls"),
      usageChunk,
      done,
    ];
    double.respond(streamScript(events));
    const client = new OpenAI({ apiKey: "key-of-a-test", baseURL: double.baseUrl, maxRetries: 0 });
    const stream = client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "?" }] });
    const message = await stream.finalMessage();
    assert.equal(message.content, "It rains.");
    assert.equal(message.tool_calls?.[0]?.id, "call_7");
    assert.equal((await stream.totalUsage()).total_tokens, 15);
  });
});
