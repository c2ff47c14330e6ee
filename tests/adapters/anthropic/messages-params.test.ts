import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MessageCreateParamsStreaming } from "@anthropic-ai/sdk/resources/messages";
import { type Item, textMessage } from "../../../src/ports/item.ts";
import { call, image, messagesOf, origin, paramsOf, result, thought } from "./params-setup.ts";

const toolUse = { type: "tool_use", id: "c", name: "rain", input: { city: "Oslo" } };
const toolResult = { type: "tool_result", tool_use_id: "c", content: "No." };

describe("the request of the Messages API", () => {
  it("is nothing but the model, the messages and the limit that the API requires, if nothing else is asked", () => {
    assert.deepEqual(paramsOf(), {
      ...{ model: "claude-sonnet-5", max_tokens: 8_192, stream: true },
      messages: [{ role: "user", content: "Well?" }],
    });
  });

  it("has the instructions and the first system messages apart, alternating roles, and the note last", () => {
    const input = [
      textMessage("system", "Be brief."),
      textMessage("user", "One"),
      textMessage("user", "Two"),
      textMessage("assistant", "  "),
      textMessage("assistant", "Three"),
      textMessage("system", "Be loud."),
      textMessage("user", "Four"),
    ];
    const { system, messages } = paramsOf({ input, instructions: "Be kind.", note: "Soon." });
    assert.equal(system, "Be kind.\n\nBe brief.");
    const note = { type: "text", text: "<note>Soon.</note>" };
    assert.deepEqual(messages, [
      { role: "user", content: "One\n\nTwo" },
      { role: "assistant", content: "Three" },
      { role: "user", content: [{ type: "text", text: "<system>Be loud.</system>\n\nFour" }, note] },
    ]);
  });

  it("marks the question for the cache, not the note", () => {
    const input = [textMessage("user", "One")];
    const marked = { type: "text", text: "One", cache_control: { type: "ephemeral" } };
    assert.deepEqual(messagesOf(input, { cacheKey: "k", note: "Soon." }), [
      { role: "user", content: [marked, { type: "text", text: "<note>Soon.</note>" }] },
    ]);
    assert.deepEqual(
      messagesOf([textMessage("user", "?"), call, result], { cacheKey: "k" }).at(-1)?.content,
      [{ ...toolResult, cache_control: { type: "ephemeral" } }],
    );
  });

  it("starts with the user although the context starts with an answer", () => {
    const roles = messagesOf([textMessage("assistant", "One"), textMessage("user", "Two")]);
    assert.deepEqual(
      roles.map(({ role }) => role),
      ["user", "assistant", "user"],
    );
  });

  it("has no white space at the end of a last answer (Q15), and no empty text (Q16)", () => {
    const input = [
      textMessage("user", "One"),
      textMessage("user", " \n"),
      textMessage("assistant", "Two \n"),
    ];
    assert.deepEqual(messagesOf(input), [
      { role: "user", content: "One" },
      { role: "assistant", content: "Two" },
    ]);
    const parts = [{ type: "text", text: " " } as const, image];
    const output = { type: "tool-result", callId: "c", output: parts } as const;
    const [last] = messagesOf([textMessage("user", "?"), call, output]).slice(-1);
    assert.equal(JSON.stringify(last?.content).includes('"text":" "'), false);
  });

  it("has calls in the message before them, and results first in theirs", () => {
    const input = [textMessage("user", "Rain?"), textMessage("assistant", "I look."), call, result];
    const also = textMessage("user", "And snow?");
    assert.deepEqual(messagesOf([...input, also]), [
      { role: "user", content: "Rain?" },
      { role: "assistant", content: [{ type: "text", text: "I look." }, toolUse] },
      { role: "user", content: [toolResult, { type: "text", text: "And snow?" }] },
    ]);
    const early = [...input.slice(0, 3), also, result];
    assert.deepEqual(messagesOf(early), messagesOf([...input, also]));
  });

  it("takes calls of other vendors: any id, and arguments that are no object", () => {
    const wild: Item = { type: "tool-call", callId: "call:1/é", name: "rain", arguments: "{oops" };
    const answer: Item = { type: "tool-result", callId: "call:1/é", output: [] };
    const [, called, told] = messagesOf([textMessage("user", "?"), wild, answer]);
    const id = "call_1__";
    assert.deepEqual(called?.content, [
      { type: "tool_use", id, name: "rain", input: { arguments: "{oops" } },
    ]);
    assert.deepEqual(told?.content, [{ type: "tool_result", tool_use_id: id, content: "" }]);
  });

  it("returns thinking to the account and model that had it, before its answer, and to no other", () => {
    const input = [
      textMessage("user", "Rain?"),
      thought({ signature: "sig" }),
      thought({ data: "secret" }, ""),
      call,
      result,
    ];
    const [, called] = messagesOf(input);
    assert.deepEqual(called?.content, [
      { type: "thinking", thinking: "Hm.", signature: "sig" },
      { type: "redacted_thinking", data: "secret" },
      toolUse,
    ]);
    for (const strange of [
      { provider: "openai", state: { origin } },
      { provider: "anthropic", state: {} },
    ]) {
      const other: Item = { type: "reasoning", text: "Hm.", providerState: strange };
      assert.equal(
        JSON.stringify(messagesOf([textMessage("user", "?"), other, call, result])).includes("Hm."),
        false,
      );
    }
    const left = messagesOf([
      textMessage("user", "One"),
      thought({ signature: "sig" }),
      textMessage("user", "Two"),
    ]);
    assert.deepEqual(left, [{ role: "user", content: "One\n\nTwo" }]);
  });

  it("has images and files in their own forms, from the user and from tools", () => {
    const pdf = { type: "file", data: "AAAA", mediaType: "application/pdf", filename: "a.pdf" } as const;
    const plain = { type: "file", data: "QWho", mediaType: "text/markdown" } as const;
    const parts = [image, { type: "image", url: "http://a.b/c.gif" } as const, pdf, plain];
    const blocks = [
      { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
      { type: "image", source: { type: "url", url: "http://a.b/c.gif" } },
      {
        type: "document",
        title: "a.pdf",
        source: { type: "base64", media_type: "application/pdf", data: "AAAA" },
      },
      { type: "document", source: { type: "text", media_type: "text/plain", data: "Ahh" } },
    ];
    assert.deepEqual(messagesOf([{ type: "message", role: "user", parts }]), [
      { role: "user", content: blocks },
    ]);
    const output = { type: "tool-result", callId: "c", output: parts } as const;
    assert.deepEqual(messagesOf([textMessage("user", "?"), call, output]).at(-1)?.content, [
      { ...toolResult, content: blocks },
    ]);
    const linked = { type: "file", url: "http://a.b/c.pdf" } as const;
    assert.deepEqual(messagesOf([{ type: "message", role: "user", parts: [linked] }])[0]?.content, [
      { type: "document", source: { type: "url", url: "http://a.b/c.pdf" } },
    ]);
  });

  it("clamps the temperature, and has none while the model thinks", () => {
    assert.equal(paramsOf({ temperature: 1.7 }).temperature, 1);
    assert.equal(paramsOf({ options: { temperature: 0.4 } }).temperature, 0.4);
    const thinking = paramsOf({ temperature: 0.4, options: { top_p: 0.9, reasoning: { effort: "low" } } });
    assert.deepEqual([thinking.temperature, thinking.top_p], [undefined, undefined]);
    const quiet = paramsOf({ temperature: 0.4, options: { reasoning: { effort: "none" } } });
    assert.deepEqual([quiet.temperature, quiet.thinking], [0.4, { type: "disabled" }]);
  });

  it("translates options", () => {
    const schema = { type: "object" };
    const options = {
      ...{
        instructions: "Be kind.",
        max_output_tokens: 50,
        top_p: 0.5,
        safety_identifier: "u-1",
        user: "u-2",
      },
      ...{
        store: false,
        truncation: "disabled",
        include: ["reasoning.encrypted_content"],
        metadata: { a: "b" },
      },
      ...{ tool_choice: "required", parallel_tool_calls: false, service_tier: "default" },
      text: { format: { type: "json_schema", name: "n", strict: true, schema }, verbosity: "medium" },
    };
    const functions = [{ name: "rain", parameters: {} }];
    assert.deepEqual(paramsOf({ options, functions }), {
      ...{ model: "claude-sonnet-5", max_tokens: 50, stream: true, system: "Be kind.", top_p: 0.5 },
      messages: [{ role: "user", content: "Well?" }],
      ...{ metadata: { user_id: "u-1" }, service_tier: "standard_only" },
      output_config: { format: { type: "json_schema", schema } },
      tools: [{ name: "rain", input_schema: { type: "object" } }],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
    });
  });

  const choices: readonly (readonly [unknown, unknown])[] = [
    ["auto", { type: "auto" }],
    ["none", { type: "none" }],
    ["required", { type: "any" }],
    [
      { type: "function", name: "rain" },
      { type: "tool", name: "rain" },
    ],
  ];
  for (const [given, sent] of choices)
    it(`translates the choice ${JSON.stringify(given)}`, () => {
      assert.deepEqual(
        paramsOf({ options: JSON.parse(JSON.stringify({ tool_choice: given })) }).tool_choice,
        sent,
      );
    });

  it("translates functions, web search, and passes on the API's own tools", () => {
    const parameters = { type: "object", properties: { city: { type: "string" } } };
    const own = { type: "web_fetch_20250910", name: "web_fetch", max_uses: 2 };
    const tools = [
      { type: "function", name: "snow", parameters, strict: true },
      { type: "web_search", filters: { allowed_domains: ["a.b"] }, user_location: { city: "Oslo" } },
      own,
    ];
    const functions = [{ name: "rain", description: "Is it raining?", parameters }];
    const sent: MessageCreateParamsStreaming["tools"] = [
      { name: "snow", input_schema: { ...parameters, type: "object" }, strict: true },
      {
        type: "web_search_20250305",
        name: "web_search",
        allowed_domains: ["a.b"],
        user_location: { type: "approximate", city: "Oslo" },
      },
      { type: "web_fetch_20250910", name: "web_fetch", max_uses: 2 },
      { name: "rain", description: "Is it raining?", input_schema: { ...parameters, type: "object" } },
    ];
    assert.deepEqual(paramsOf({ tools, functions }).tools, sent);
  });
});
