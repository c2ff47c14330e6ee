import assert from "node:assert/strict";
import { test } from "node:test";
import { LLMock } from "@copilotkit/aimock";
import type { Provider, ProviderCatalog, ProviderEvent } from "../../src/ports/provider.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { textOf } from "../support/wire-client.ts";

test("against aimock, an independent upstream: text, tools, reasoning parameters, continuation, errors", async () => {
  const mock = new LLMock({ port: 0, logLevel: "silent" });
  mock.onMessage("hello", { content: "Hi there, this is the other side." });
  mock.onMessage("weather", { toolCalls: [{ name: "get_weather", arguments: '{"city":"Oslo"}' }] });
  mock.onMessage("fail", {
    error: { message: "no", type: "invalid_request_error", code: "context_length_exceeded" },
    status: 400,
  });
  await mock.start();
  const stack = new AsyncDisposableStack();
  await using _ = stack;
  stack.defer(() => mock.stop());
  const clock = createTestClock({ instantMs: 1_000 });
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: `${mock.url}/v1`, clock });
  const client = await server.connect();
  const ask = async (data: object) => {
    client.send({ type: "openai_chat", data });
    return client.untilTerminal();
  };

  const first = (await ask({ input_text: "hello" })).at(-1);
  assert.ok(first?.type === "response" && first.request_type === "openai_chat");
  const previous_response_id = first.data.id;
  const hello = await ask({ input_text: "hello", include_reasoning: true, previous_response_id });
  const terminal = hello.at(-1);
  assert.ok(terminal?.type === "response" && terminal.finish_reason === "stop");
  assert.equal(textOf(hello), "Hi there, this is the other side.");
  const data = terminal.data as Record<string, unknown>;
  assert.equal(data.object, "response");
  assert.equal(data.output_text, textOf(hello));
  const sent = mock.getRequests().at(-1)?.body as Record<string, unknown> | undefined;
  assert.equal(sent?.model, "gpt-4o-mini");

  const tool = { type: "function", name: "get_weather", parameters: { type: "object" }, strict: false };
  const weather = await ask({ input_text: "weather", tools: [tool] });
  const call = weather.findLast((message) => message.type === "tool");
  assert.ok(call?.type === "tool" && call.tool === "function" && call.status === "completed");
  assert.equal((call.payload as { name?: string }).name, "get_weather");
  const asksForTool = weather.at(-1);
  assert.ok(asksForTool?.type === "response" && asksForTool.finish_reason === "tool_calls");

  const failed = (await ask({ input_text: "fail" })).at(-1);
  assert.ok(
    failed?.type === "error" && failed.code === "context_length_exceeded" && failed.seq !== undefined,
  );

  client.send({
    type: "multi_chat",
    data: { message: "hello", persona_ids: ["teacher", "skeptic", "historian"] },
  });
  const personas = await client.untilTerminal();
  for (const id of ["teacher", "skeptic", "historian"]) assert.equal(textOf(personas, id), textOf(hello));
});

test("without any provider the demonstration answers every api, and says on the wire that it is one", async () => {
  const clock = createTestClock({ instantMs: 1_000 });
  await using server = await startTroupe({ clock });
  assert.ok(server.troupe.simulated);
  const client = await server.connect();
  client.send({ type: "chat", data: { message: "Hi", persona_id: "teacher", api: "anthropic" } });
  const messages = await client.untilTerminal();
  const [start] = messages;
  const terminal = messages.at(-1);
  assert.ok(start?.type === "status" && start.simulated === true);
  assert.ok(terminal?.type === "response" && "model" in terminal.data);
  assert.deepEqual(
    [terminal.data.simulated, terminal.data.model, terminal.data.api],
    [true, "demo", "anthropic"],
  );
});

test("with a real provider, another api is refused instead of pretended", async () => {
  await using upstream = await createUpstreamDouble();
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const client = await server.connect();
  client.send({ type: "chat", data: { message: "Hi", persona_id: "teacher", api: "anthropic" } });
  const refused = await client.next();
  assert.ok(
    refused.type === "error" && refused.code === "provider_not_configured" && refused.field === "data.api",
  );
  assert.match(refused.message, /OPENAI_API_KEY/);
  assert.equal(upstream.requests.length, 0);
});

test("a local server is found by its list of models and answers with a model of that list", async () => {
  await using upstream = await createUpstreamDouble({ models: ["llama3.2:3b", "qwen3:8b"] });
  await using server = await startTroupe({ localProviders: ["http://127.0.0.1:9/v1", upstream.baseUrl] });
  assert.equal(server.troupe.simulated, false);
  const client = await server.connect();
  const modelFor = async (model?: string) => {
    client.send({
      type: "openai_chat",
      data: { input_text: "Hi", ...(model === undefined ? {} : { model }) },
    });
    await client.untilTerminal();
    return (upstream.requests.at(-1)?.body as { model: string } | undefined)?.model;
  };
  assert.equal(await modelFor("gpt-4o-mini"), "llama3.2:3b");
  assert.equal(await modelFor("qwen3:8b"), "qwen3:8b");
});

test("the summary, the page and the wire name a provider of the application", async () => {
  const stream = async function* (): AsyncGenerator<ProviderEvent[]> {
    yield [
      { type: "text", text: "Hello." },
      { type: "end", finishReason: "stop", model: "house-1" },
    ];
  };
  const cases: readonly (readonly [Provider, string, boolean])[] = [
    [
      { name: "house", simulated: false, stream },
      'api "openai" is answered by house (house-1), a provider of the application',
      false,
    ],
    [
      { name: "rehearsal", simulated: true, stream },
      'api "openai" is answered by rehearsal (house-1), a provider of the application',
      true,
    ],
  ];
  for (const [provider, summary, simulated] of cases) {
    const providers: ProviderCatalog = { choose: (api) => ({ provider, api, model: "house-1" }) };
    // An API key and local servers change nothing.
    await using server = await startTroupe({
      providers,
      openaiApiKey: "k",
      localProviders: ["http://127.0.0.1:9/v1"],
    });
    assert.deepEqual([server.troupe.providerSummary, server.troupe.simulated], [summary, simulated]);
    const page = await (await fetch(server.httpUrl)).text();
    assert.match(page, new RegExp(`"simulated":${simulated},"model":"house-1"`));
    const client = await server.connect();
    client.send({ type: "openai_chat", data: { input_text: "Hi" } });
    assert.equal(textOf(await client.untilTerminal()), "Hello.");
  }
  const other: ProviderCatalog = {
    choose() {
      throw new TroupeError("provider_not_configured", { field: "data.api" });
    },
  };
  await using server = await startTroupe({ providers: other });
  assert.equal(
    server.troupe.providerSummary,
    'providers of the application answer, none of them api "openai"',
  );
  const defect = new Error("a defect");
  const defective: ProviderCatalog = {
    choose() {
      throw defect;
    },
  };
  const warned: string[] = [];
  const quiet = () => undefined;
  const warn = (_: object, message: string) => void warned.push(message);
  await using started = await startTroupe({
    providers: defective,
    logger: { debug: quiet, info: quiet, error: quiet, warn },
  });
  assert.equal(started.troupe.providerSummary, "providers of the application answer");
  assert.equal(warned.length, 1);
  assert.match(warned[0] ?? "", /a defect/);
});
