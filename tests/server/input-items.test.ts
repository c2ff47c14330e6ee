import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chunk, done, finish, text, usageChunk } from "../adapters/chat-completions/chat-setup.ts";
import { answer } from "../doubles/answer.ts";
import type { Script } from "../doubles/script.ts";
import { plainResponse, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";

const noRoute = plainResponse(404, "404 page not found", { "content-type": "text/plain" });
const rain = { index: 0, id: "call_fc_1", function: { name: "rain", arguments: '{"at":"noon"}' } };
const tools = [{ type: "function", name: "rain", parameters: { type: "object" }, strict: false }];

/** A call of a function and then a text, over each API. */
const apis: Readonly<Record<string, readonly Script[]>> = {
  responses: [
    streamScript(answer({ tool: { type: "function", name: "rain", argumentDeltas: ['{"at":', '"noon"}'] } })),
    streamScript(answer({ text: "It rains." })),
  ],
  "chat/completions": [
    streamScript([chunk({ tool_calls: [rain] }), finish("tool_calls"), usageChunk, done]),
    streamScript([text("It rains."), finish("stop"), usageChunk, done]),
  ],
};

async function openStage(api: string) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble({ models: ["llama3.2"] }));
  const scripts = [...(apis[api] ?? [])];
  upstream.respond(({ path }) => (path === `/v1/${api}` ? (scripts.shift() ?? noRoute) : noRoute));
  const server = stack.use(await startTroupe({ localProviders: [upstream.baseUrl], pacing: "raw" }));
  const client = await server.connect();
  const ask = async (data: object, id?: string) => {
    client.send({ type: "openai_chat", ...(id === undefined ? {} : { id }), data });
    const last = (await client.untilTerminal()).at(-1);
    assert.ok(last?.type === "response" && last.request_type === "openai_chat", JSON.stringify(last));
    return last;
  };
  const bodies = () =>
    upstream.requests.flatMap(({ path, body }) =>
      path === `/v1/${api}` ? [body as Record<string, unknown>] : [],
    );
  return { client, ask, bodies, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const picture = { type: "input_image", image_url: "https://pictures.example/sky.png" };
const question = { role: "user", content: [{ type: "input_text", text: "Does it rain?" }, picture] };

describe("items instead of a text", () => {
  for (const api of Object.keys(apis))
    it(`make a whole round of a function over ${api}: question with a picture, call, output, answer`, async () => {
      await using stage = await openStage(api);
      const first = await stage.ask({ input: [question], tools });
      assert.equal(first.finish_reason, "tool_calls");
      const output = first.data.output as readonly Record<string, unknown>[];
      const call = output.find(({ type }) => type === "function_call");
      const result = { type: "function_call_output", call_id: call?.call_id, output: "yes" };
      const second = await stage.ask({ input: [question, ...output, result], tools });
      assert.deepEqual([second.finish_reason, second.data.output_text], ["stop", "It rains."]);
      const [, sent] = stage.bodies();
      if (api === "responses")
        assert.deepEqual(sent?.input, [
          {
            ...{ type: "message", role: "user" },
            content: [question.content[0], { ...picture, detail: "auto" }],
          },
          { type: "function_call", call_id: call?.call_id, name: "rain", arguments: '{"at":"noon"}' },
          result,
        ]);
      else
        assert.deepEqual(sent?.messages, [
          {
            role: "user",
            content: [
              { type: "text", text: "Does it rain?" },
              { type: "image_url", image_url: { url: picture.image_url } },
            ],
          },
          {
            ...{ role: "assistant", content: null },
            tool_calls: [{ id: "call_fc_1", type: "function", function: rain.function }],
          },
          { role: "tool", tool_call_id: "call_fc_1", content: "yes" },
        ]);
    });

  it("are the content of a request: the same id with other items is a conflict", async () => {
    await using stage = await openStage("responses");
    await stage.ask({ input: [question], tools }, "r");
    const again = await stage.ask({ tools, input: [question] }, "r");
    assert.equal(again.finish_reason, "tool_calls");
    assert.equal(stage.bodies().length, 1);
    stage.client.send({ type: "openai_chat", id: "r", data: { input: [question, question], tools } });
    const refusal = await stage.client.next(({ type }) => type === "error");
    assert.ok(refusal.type === "error");
    assert.equal(refusal.code, "request_id_conflict");
  });

  it("that the provider cannot take are refused by their field, before it is asked", async () => {
    await using stage = await openStage("chat/completions");
    await stage.ask({ input_text: "Does it rain?", tools });
    const file = { type: "input_file", file_url: "https://files.example/a.pdf" };
    stage.client.send({
      type: "openai_chat",
      data: { input: [question, { role: "user", content: [file] }] },
    });
    const refusal = await stage.client.next(({ type }) => type === "error");
    assert.ok(refusal.type === "error");
    assert.deepEqual([refusal.code, refusal.field], ["upstream_invalid_request", "data.input.1"]);
    assert.equal(stage.bodies().length, 1);
  });
});
