import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chatParams } from "../../../src/adapters/chat-completions/chat-params.ts";
import { chatDialectOf } from "../../../src/adapters/chat-completions/dialects.ts";
import { type Item, textMessage } from "../../../src/ports/item.ts";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { question } from "./chat-setup.ts";

const local = "http://127.0.0.1:11434/v1";

function paramsOf(changes: Partial<ProviderRequest> = {}, baseUrl = local) {
  return chatParams({ ...question, ...changes }, chatDialectOf(baseUrl));
}

const image = { type: "image", data: "AAAA", mediaType: "image/png" } as const;
const file = { type: "file", data: "AAAA", mediaType: "application/pdf", filename: "rain.pdf" } as const;
const call: Item = { type: "tool-call", callId: "c", name: "rain", arguments: "{}" };
const result: Item = { type: "tool-result", callId: "c", output: [{ type: "text", text: "No." }] };

describe("the request of Chat Completions", () => {
  it("is nothing but the model, the messages and the question for usage, if nothing else is asked", () => {
    assert.deepEqual(paramsOf(), {
      ...{ model: "llama3.2", stream: true, stream_options: { include_usage: true } },
      messages: [{ role: "user", content: "Well?" }],
    });
  });

  it("has one system message, alternating roles, and the note last", () => {
    const input = [
      textMessage("system", "Be brief."),
      textMessage("user", "One"),
      textMessage("user", "Two"),
      textMessage("assistant", "  "),
      textMessage("assistant", "Three"),
      textMessage("user", "Four"),
    ];
    assert.deepEqual(paramsOf({ input, instructions: "Be kind.", note: "Soon." }).messages, [
      { role: "system", content: "Be kind.\n\nBe brief." },
      { role: "user", content: "One\n\nTwo" },
      { role: "assistant", content: "Three" },
      { role: "user", content: "Four\n\n<note>Soon.</note>" },
    ]);
  });

  it("has calls in the message before them, results, and neither reasoning nor sources", () => {
    const input: Item[] = [
      ...[textMessage("user", "Rain?"), textMessage("assistant", "I look."), call, result],
      { type: "reasoning", text: "Hm." },
      { ...call, callId: "d" },
      { ...result, callId: "d" },
      { type: "source", url: "http://a.b" },
    ];
    const called = (id: string) => ({ type: "function", id, function: { name: "rain", arguments: "{}" } });
    assert.deepEqual(paramsOf({ input }).messages, [
      { role: "user", content: "Rain?" },
      { role: "assistant", content: "I look.", tool_calls: [called("c")] },
      { role: "tool", tool_call_id: "c", content: "No." },
      { role: "assistant", content: null, tool_calls: [called("d")] },
      { role: "tool", tool_call_id: "d", content: "No." },
    ]);
  });

  it("has images and files in parts", () => {
    const parts = [
      { type: "text", text: "Rain?" },
      image,
      { type: "image", url: "http://a.b/c.png" },
      file,
    ] as const;
    assert.deepEqual(paramsOf({ input: [{ type: "message", role: "user", parts }] }).messages, [
      {
        role: "user",
        content: [
          { type: "text", text: "Rain?" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          { type: "image_url", image_url: { url: "http://a.b/c.png" } },
          { type: "file", file: { filename: "rain.pdf", file_data: "data:application/pdf;base64,AAAA" } },
        ],
      },
    ]);
  });

  it("has functions as tools, of both kinds", () => {
    const parameters = { type: "object" };
    const { tools } = paramsOf({
      tools: [{ type: "function", name: "rain", parameters, strict: true }],
      functions: [{ name: "snow", description: "Does it snow?", parameters }],
    });
    assert.deepEqual(tools, [
      { type: "function", function: { name: "rain", parameters, strict: true } },
      { type: "function", function: { name: "snow", description: "Does it snow?", parameters } },
    ]);
  });

  it("has the options of the Responses API in its own words", () => {
    const { messages, model, stream, stream_options, ...options } = paramsOf({
      temperature: 0.5,
      options: {
        ...{ instructions: "Be kind.", max_output_tokens: 9, top_p: 0.5, store: false, background: false },
        reasoning: { effort: "low", summary: "auto" },
        text: { format: { type: "json_schema", name: "city", schema: {}, strict: true }, verbosity: "low" },
        tool_choice: { type: "function", name: "rain" },
        include: ["reasoning.encrypted_content"],
      },
    });
    assert.equal(messages[0]?.role, "system");
    assert.deepEqual(options, {
      ...{ temperature: 0.5, top_p: 0.5, max_tokens: 9, reasoning_effort: "low", verbosity: "low" },
      response_format: { type: "json_schema", json_schema: { name: "city", schema: {}, strict: true } },
      tool_choice: { type: "function", function: { name: "rain" } },
    });
  });

  const hosts: readonly (readonly [string, object])[] = [
    [local, { max_tokens: 9, stream_options: { include_usage: true } }],
    [
      "https://api.openai.com/v1",
      {
        ...{ max_completion_tokens: 9, stream_options: { include_usage: true } },
        ...{ store: false, prompt_cache_key: "key" },
      },
    ],
    ["https://api.groq.com/openai/v1", { max_completion_tokens: 9, stream_options: { include_usage: true } }],
    ["https://api.mistral.ai/v1", { max_tokens: 9 }],
  ];
  for (const [baseUrl, expected] of hosts)
    it(`speaks the dialect of ${baseUrl}`, () => {
      const { model, messages, stream, ...rest } = paramsOf(
        { maxOutputTokens: 9, mayStore: false, cacheKey: "key" },
        baseUrl,
      );
      assert.deepEqual(rest, expected);
    });

  it("finds no earlier response, because the server keeps none", () => {
    assert.throws(
      () => paramsOf({ previousResponseId: "resp_1" }),
      (error) =>
        error instanceof TroupeError &&
        error.code === "previous_response_not_found" &&
        error.isUnread === true,
    );
  });

  const refused: readonly (readonly [string, Partial<ProviderRequest>])[] = [
    ["options.background", { options: { background: true } }],
    ["options.store", { options: { store: true } }],
    ["options.include", { options: { include: ["web_search_call.results"] } }],
    ["options.conversation", { options: { conversation: "conv_1" } }],
    ["options.tool_choice", { options: { tool_choice: { type: "web_search" } } }],
    ["tools.1", { tools: [{ type: "function", name: "a" }, { type: "web_search" }] }],
    ["input.0", { input: [{ type: "message", role: "assistant", parts: [image] }] }],
    ["input.1", { input: [call, { type: "tool-result", callId: "c", output: [image] }] }],
    ["input.0", { input: [{ type: "message", role: "user", parts: [{ type: "file", url: "http://a.b" }] }] }],
  ];
  for (const [field, changes] of refused)
    it(`refuses ${field}, which it cannot say: ${JSON.stringify(changes)}`, () => {
      assert.throws(
        () => paramsOf(changes),
        (error) =>
          error instanceof TroupeError && error.code === "upstream_invalid_request" && error.field === field,
      );
    });
});
