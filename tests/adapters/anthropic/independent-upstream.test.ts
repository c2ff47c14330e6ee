import assert from "node:assert/strict";
import { describe, it } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { LLMock } from "@copilotkit/aimock";
import { createAnthropicProvider } from "../../../src/adapters/anthropic/anthropic-provider.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { type Item, textMessage } from "../../../src/ports/item.ts";
import type { ProviderEvent, ProviderRequest } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { createTestClock } from "../../support/test-clock.ts";
import {
  args,
  begin,
  close,
  failure,
  open,
  openText,
  ping,
  reason,
  sign,
  stop,
  text,
  think,
} from "./anthropic-setup.ts";

describe("neither side of a test of the Messages API is ours alone", () => {
  it("an independent upstream: text, thinking, a failure, and a function call with its result", async () => {
    const mock = new LLMock({ port: 0, logLevel: "silent" });
    mock.onMessage("hello", { content: "Hi there, this is the other side.", reasoning: "I greet." });
    mock.onMessage("weather", { toolCalls: [{ name: "get_weather", arguments: '{"city":"Oslo"}' }] });
    mock.onMessage("fail", { error: { message: "Overloaded", type: "overloaded_error" }, status: 529 });
    await mock.start();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => mock.stop());
    const agents = stack.use(createUpstreamAgents());
    const provider = createAnthropicProvider({
      ...{ agents, clock: createTestClock(), apiKey: "key-of-a-test", baseUrl: mock.url },
      ...{ firstByteMs: 60_000, idleMs: 60_000 },
    });
    const ask = async (input: readonly Item[], more: Partial<ProviderRequest> = {}) => {
      const events: ProviderEvent[] = [];
      const call = { signal: new AbortController().signal };
      for await (const batch of provider.stream({ model: "claude-sonnet-5", input, ...more }, call))
        events.push(...batch);
      const joined = (type: "text" | "reasoning") =>
        events.map((event) => (event.type === type ? event.text : "")).join("");
      const end = events.at(-1);
      assert.ok(end?.type === "end");
      return { said: joined("text"), thought: joined("reasoning"), end };
    };

    const hello = await ask([textMessage("user", "hello")], { includeReasoning: true });
    assert.deepEqual([hello.said, hello.thought], ["Hi there, this is the other side.", "I greet."]);
    assert.equal(hello.end.finishReason, "stop");

    const functions = [{ name: "get_weather", parameters: { type: "object" } }];
    const question = textMessage("user", "weather");
    const called = await ask([question], { functions });
    const call = called.end.items?.find((item) => item.type === "tool-call");
    assert.equal(called.end.finishReason, "tool_calls");
    assert.deepEqual([call?.name, call?.arguments], ["get_weather", '{"city":"Oslo"}']);
    assert.ok(call !== undefined);
    const output = [{ type: "text", text: "Rain." }] as const;
    const result: Item = { type: "tool-result", callId: call.callId, output };
    const after = await ask([question, call, result, textMessage("user", "hello")], { functions });
    assert.equal(after.said, hello.said);

    await assert.rejects(
      ask([textMessage("user", "fail")]),
      (error) => error instanceof TroupeError && error.code === "upstream_overloaded",
    );
  });

  it("the official client reads the streams of these tests", async () => {
    await using double = await createUpstreamDouble();
    const client = new Anthropic({
      ...{ apiKey: "key-of-a-test", baseURL: double.baseUrl.replace("/v1", "") },
      maxRetries: 0,
    });
    const ask = () =>
      client.messages
        .stream({ model: "claude-sonnet-5", max_tokens: 9, messages: [{ role: "user", content: "?" }] })
        .finalMessage();
    double.respond(
      streamScript([
        ...[
          begin(),
          ping,
          open({ type: "thinking", thinking: "", signature: "" }),
          think("Hm."),
          sign("s"),
          close(),
        ],
        ...[openText(1), text("It ", 1), text("rains.", 1), close(1)],
        ...[
          open({ type: "tool_use", id: "toolu_1", name: "rain", input: {} }, 2),
          args('{"city":"Oslo"}', 2),
          close(2),
        ],
        ...[reason("tool_use"), stop],
      ]),
    );
    const message = await ask();
    assert.deepEqual(message.content, [
      { type: "thinking", thinking: "Hm.", signature: "s" },
      { type: "text", text: "It rains." },
      { type: "tool_use", id: "toolu_1", name: "rain", input: { city: "Oslo" } },
    ]);
    assert.deepEqual([message.stop_reason, message.usage.output_tokens], ["tool_use", 3]);
    double.respond(streamScript([begin() + failure("overloaded_error")]));
    await assert.rejects(ask(), Anthropic.APIError);
  });
});
