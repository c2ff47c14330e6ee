import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LLMock } from "@copilotkit/aimock";
import { FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";
import { geminiParams } from "../../../src/adapters/gemini/contents-params.ts";
import { createGeminiProvider } from "../../../src/adapters/gemini/gemini-provider.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { type Item, textMessage } from "../../../src/ports/item.ts";
import type { ProviderEvent, ProviderRequest } from "../../../src/ports/provider.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { hear } from "../../ports/hear.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { call, createGeminiSetup, finish, text, thought } from "./gemini-setup.ts";

const model = "gemini-2.5-flash";

/** The vendor's own client, with a double as its upstream. */
function clientOf(baseUrl: string) {
  return new GoogleGenAI({ apiKey: "key-of-a-test", httpOptions: { baseUrl: new URL(baseUrl).origin } });
}

describe("neither side of a test is ours alone", () => {
  it("an independent upstream: text, usage, an error, and a function call with its result", async () => {
    const mock = new LLMock({ port: 0, logLevel: "silent" });
    const usage = { prompt_tokens: 4, completion_tokens: 9 };
    mock.onMessage("hello", { content: "Hi there, this is the other side.", reasoning: "Hm.", usage });
    mock.onMessage("weather", { toolCalls: [{ name: "get_weather", arguments: '{"city":"Oslo"}' }] });
    mock.onMessage("busy", { error: { message: "Slow down.", type: "rate_limit_error" }, status: 429 });
    await mock.start();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => mock.stop());
    const agents = stack.use(createUpstreamAgents());
    const provider = createGeminiProvider({
      ...{ agents, clock: createTestClock(), apiKey: "key-of-a-test", baseUrl: mock.url },
      ...{ firstByteMs: 60_000, idleMs: 60_000 },
    });
    const ask = async (input: readonly Item[], more: Partial<ProviderRequest> = {}) => {
      const events: ProviderEvent[] = [];
      const { signal } = new AbortController();
      for await (const batch of provider.stream({ model, input, ...more }, { signal })) events.push(...batch);
      const said = events.map((event) => (event.type === "text" ? event.text : "")).join("");
      const end = events.at(-1);
      assert.ok(end?.type === "end");
      return { said, end };
    };

    const hello = await ask([textMessage("user", "hello")]);
    assert.deepEqual([hello.said, hello.end.finishReason], ["Hi there, this is the other side.", "stop"]);
    assert.deepEqual([hello.end.usage?.inputTokens, hello.end.usage?.outputTokens], [4, 9]);

    const functions = [{ name: "get_weather", parameters: { type: "object" } }];
    const question = textMessage("user", "weather");
    const called = await ask([question], { functions });
    const [asked] = called.end.items ?? [];
    assert.equal(called.end.finishReason, "tool_calls");
    assert.ok(asked?.type === "tool-call" && asked.name === "get_weather");
    const output = [{ type: "text", text: "Rain." }] as const;
    const result: Item = { type: "tool-result", callId: asked.callId, output };
    const after = await ask([question, asked, result, textMessage("user", "hello")], { functions });
    assert.equal(after.said, hello.said);
    await assert.rejects(ask([textMessage("user", "busy")]), { code: "rate_limited" });
  });

  it("the official client reads the streams of these tests", async () => {
    await using double = await createUpstreamDouble();
    const events = [
      ...[thought("Hm."), text("It "), text("rains."), call({ name: "rain", args: { city: "Oslo" } })],
      finish("STOP"),
    ];
    double.respond(streamScript(events));
    const stream = await clientOf(double.baseUrl).models.generateContentStream({ model, contents: "?" });
    const chunks = await Array.fromAsync(stream);
    const parts = chunks.flatMap(({ candidates }) => candidates?.[0]?.content?.parts ?? []);
    assert.equal(parts.map((part) => (part.thought === true ? "" : (part.text ?? ""))).join(""), "It rains.");
    const calls = chunks.flatMap(({ functionCalls }) => functionCalls ?? []);
    assert.deepEqual(
      calls.map(({ name, args }) => [name, args]),
      [["rain", { city: "Oslo" }]],
    );
    assert.equal(chunks.at(-1)?.usageMetadata?.totalTokenCount, 15);
  });

  it("the official client sends what we send", async () => {
    const schema = { type: "object", properties: { city: { type: "string" } } };
    const request: ProviderRequest = {
      ...{ model, instructions: "Be kind.", temperature: 0.5, maxOutputTokens: 900, includeReasoning: true },
      input: [
        {
          ...{ type: "message", role: "user" },
          parts: [
            { type: "text", text: "Rain?" },
            { type: "image", data: "AAAA", mediaType: "image/png" },
          ],
        },
      ],
      functions: [{ name: "rain", description: "Does it rain?", parameters: schema }],
      options: {
        ...{ tool_choice: "required", reasoning: { effort: "low" } },
        text: { format: { type: "json_schema", name: "city", schema } },
      },
    };
    await using under = await createGeminiSetup();
    under.double.respond(streamScript([text("Yes."), finish("STOP")]));
    await hear(under, request);
    const { contents } = geminiParams(request, "");
    const stream = await clientOf(under.double.baseUrl).models.generateContentStream({
      model,
      contents: JSON.parse(JSON.stringify(contents)),
      config: {
        ...{ systemInstruction: { parts: [{ text: "Be kind." }] }, temperature: 0.5, maxOutputTokens: 900 },
        tools: [
          {
            functionDeclarations: [
              { name: "rain", description: "Does it rain?", parametersJsonSchema: schema },
            ],
          },
        ],
        toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } },
        thinkingConfig: { includeThoughts: true, thinkingBudget: 1_024 },
        ...{ responseMimeType: "application/json", responseJsonSchema: schema },
      },
    });
    await Array.fromAsync(stream);
    const [ours, theirs] = under.double.requests;
    assert.deepEqual(ours?.body, theirs?.body);
    assert.equal(ours?.headers["x-goog-api-key"], theirs?.headers["x-goog-api-key"]);
    assert.equal(ours?.path.replace("/v1/", "/"), theirs?.path.replace(/^\/v1(beta)?\//, "/"));
  });
});
