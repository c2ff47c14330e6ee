import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MessageCreateParamsStreaming } from "@anthropic-ai/sdk/resources/messages";
import type { MessagesRequest } from "../../../src/adapters/anthropic/messages-api.ts";
import { messagesParams } from "../../../src/adapters/anthropic/messages-params.ts";
import { type Item, textMessage } from "../../../src/ports/item.ts";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { question } from "./anthropic-setup.ts";

const origin = "account claude-sonnet-5";
const old = "claude-sonnet-4-5-20250929";

/**
 * The request as the vendor's own type has it. Two parameters are missing there, because the SDK speaks a newer version of the API. Tools
 * are compared where they are made, because a client may send tools in the vendor's own words.
 */
function asVendorHasIt(request: MessagesRequest): MessageCreateParamsStreaming {
  const { temperature: _, top_p: __, tools: ___, messages, ...rest } = request;
  return { ...rest, messages: [...messages] };
}

function paramsOf(changes: Partial<ProviderRequest> = {}) {
  const params = messagesParams({ ...question, ...changes }, origin);
  assert.equal(asVendorHasIt(params).stream, true);
  return params;
}

function messagesOf(input: readonly Item[], changes: Partial<ProviderRequest> = {}) {
  return paramsOf({ input, ...changes }).messages;
}

const image = { type: "image", data: "AAAA", mediaType: "image/png" } as const;
const call: Item = { type: "tool-call", callId: "c", name: "rain", arguments: '{"city":"Oslo"}' };
const result: Item = { type: "tool-result", callId: "c", output: [{ type: "text", text: "No." }] };
const thought = (state: object, text = "Hm."): Item => ({
  type: "reasoning",
  text,
  providerState: { provider: "anthropic", state: { origin, ...state } },
});
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

describe("thinking in the request of the Messages API", () => {
  const effort = (word: string) => ({ options: { reasoning: { effort: word } } });
  const efforts = [
    ["minimal", "low"],
    ["low", "low"],
    ["medium", "medium"],
    ["high", "high"],
    ["xhigh", "xhigh"],
    ["max", "max"],
  ] as const;
  for (const [asked, sent] of efforts)
    it(`${asked} is the effort ${sent} of a newer model, and a budget of an older one`, () => {
      const { thinking, output_config, max_tokens } = paramsOf(effort(asked));
      assert.deepEqual(
        [thinking, output_config, max_tokens],
        [{ type: "adaptive" }, { effort: sent }, 16_384],
      );
      const older = paramsOf({ ...effort(asked), model: old });
      assert.ok(older.thinking?.type === "enabled" && older.output_config === undefined);
      assert.ok(older.thinking.budget_tokens >= 1_024 && older.thinking.budget_tokens < older.max_tokens);
    });

  it("is shown as a summary if the client wants to read it", () => {
    const shown = paramsOf({ includeReasoning: true });
    assert.deepEqual(shown.thinking, { type: "adaptive", display: "summarized" });
    assert.equal(paramsOf({ includeReasoning: true, model: old }).thinking?.type, "enabled");
  });

  const forms = [
    ["claude-opus-4-20250514", "enabled", 16_384],
    ["claude-opus-4-1", "enabled", 16_384],
    ["claude-haiku-4-5", "enabled", 16_384],
    ["anthropic.claude-3-7-sonnet-20250219-v1:0", "enabled", 16_384],
    ["claude-opus-4-6", "adaptive", 16_384],
    ["claude-haiku-5-5", "adaptive", 16_384],
    ["claude-mythos-preview", "adaptive", 16_384],
    ["claude-3-5-haiku-latest", undefined, 8_192],
    ["claude-3-haiku-20240307", undefined, 4_096],
  ] as const;
  for (const [model, form, limit] of forms)
    it(`takes the form of ${model}`, () => {
      const { thinking, max_tokens } = paramsOf({ model, includeReasoning: true });
      assert.deepEqual([thinking?.type, max_tokens], [form, limit]);
    });

  it("is left out where the API would refuse it", () => {
    const small = paramsOf({ ...effort("high"), model: old, maxOutputTokens: 1_024 });
    assert.deepEqual([small.thinking, small.max_tokens], [undefined, 1_024]);
    const forced = { tool_choice: "required", reasoning: { effort: "high" } };
    assert.equal(
      paramsOf({ options: forced, functions: [{ name: "rain", parameters: {} }] }).thinking,
      undefined,
    );
    const strange = [textMessage("user", "?"), call, result];
    assert.equal(paramsOf({ ...effort("high"), model: old, input: strange }).thinking, undefined);
    assert.equal(paramsOf({ ...effort("high"), input: strange }).thinking?.type, "adaptive");
    const own = [textMessage("user", "?"), thought({ signature: "sig" }), call, result];
    assert.equal(paramsOf({ ...effort("high"), model: old, input: own }).thinking?.type, "enabled");
  });
});

describe("the Messages API refuses by field", () => {
  const said = (parts: readonly object[], role = "user") => ({ input: [{ type: "message", role, parts }] });
  const picture = { type: "image", data: "AAAA", mediaType: "image/tiff" };
  const refusals: readonly (readonly [string, object])[] = [
    ["previousResponseId", { previousResponseId: "resp_1" }],
    ["options.background", { options: { background: true } }],
    ["options.store", { options: { store: true } }],
    ["options.prompt", { options: { prompt: { id: "p" } } }],
    ["options.top_logprobs", { options: { top_logprobs: 3 } }],
    ["options.service_tier", { options: { service_tier: "flex" } }],
    ["options.text.verbosity", { options: { text: { verbosity: "low" } } }],
    ["options.text.format", { options: { text: { format: { type: "json_object" } } } }],
    ["options.tool_choice", { options: { tool_choice: { type: "mcp" } } }],
    ["tools.1", { tools: [{ type: "function", name: "f" }, { type: "file_search" }] }],
    ["tools.0", { tools: [{ type: "web_search", search_context_size: "high" }] }],
    ["tools.0", { tools: [{ type: "web_search", filters: { blocked: [] } }] }],
    ["input.0", said([image], "assistant")],
    ["input.0", said([picture])],
    ["input.0", said([{ type: "file", data: "AAAA", mediaType: "application/zip" }])],
    ["input.0", { input: [{ type: "tool-result", callId: "c", output: [picture] }] }],
  ];
  for (const [field, changes] of refusals)
    it(`${field}: ${JSON.stringify(changes).slice(0, 70)}`, () => {
      assert.throws(
        () => paramsOf(changes as Partial<ProviderRequest>),
        (error) =>
          error instanceof TroupeError &&
          error.code === "upstream_invalid_request" &&
          error.field === field &&
          error.isUnread === true,
      );
    });
});
