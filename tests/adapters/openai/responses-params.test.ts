import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dialectOf, responsesParams } from "../../../src/adapters/openai/responses-params.ts";
import { type Item, textMessage } from "../../../src/ports/item.ts";
import type { JsonObject } from "../../../src/ports/json.ts";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

const question = textMessage("user", "Well?");
const paramsOf = (changes: Partial<ProviderRequest>) =>
  responsesParams({ model: "m", input: [question], ...changes });

describe("the input sent to the Responses API", () => {
  it("is only the text if there is nothing else", () => {
    assert.deepEqual(paramsOf({}), { model: "m", input: "Well?", stream: true });
  });

  it("is a list of typed messages if there are several, and says whether the vendor may store it", () => {
    assert.deepEqual(paramsOf({ instructions: "Be Ada.", mayStore: false }), {
      model: "m",
      input: [{ type: "message", role: "user", content: "Well?" }],
      stream: true,
      instructions: "Be Ada.",
      store: false,
    });
    const input = [question, textMessage("assistant", "Well."), question];
    assert.deepEqual(paramsOf({ input }).input, [
      { type: "message", role: "user", content: "Well?" },
      { type: "message", role: "assistant", content: "Well." },
      { type: "message", role: "user", content: "Well?" },
    ]);
  });

  it("goes by its type for each item, and has functions after the vendor's own tools", () => {
    const call = { type: "tool-call", callId: "c", name: "f", arguments: "{}" } as const;
    const input: Item[] = [call, { type: "tool-result", callId: "c", output: [] }];
    const functions = [{ name: "f", parameters: { type: "object" } }];
    assert.deepEqual(
      JSON.parse(JSON.stringify(paramsOf({ input, functions, tools: [{ type: "web_search" }] }))),
      {
        ...{ model: "m", stream: true },
        input: [
          { type: "function_call", call_id: "c", name: "f", arguments: "{}" },
          { type: "function_call_output", call_id: "c", output: "" },
        ],
        tools: [{ type: "web_search" }, { type: "function", name: "f", parameters: { type: "object" } }],
      },
    );
    const picture: Item = {
      type: "message",
      role: "assistant",
      parts: [{ type: "image", url: "http://a.b" }],
    };
    assert.throws(
      () => paramsOf({ input: [picture] }),
      (error) => error instanceof TroupeError && error.code === "upstream_invalid_request",
    );
  });

  it("has reasoning of the same account and model only, and before what followed from it", () => {
    const thought = (state: JsonObject, provider = "openai"): Item => ({
      ...{ type: "reasoning", text: "Hm.", providerState: { provider, state } },
    });
    const said = textMessage("assistant", "Well.");
    const own = thought({ origin: "here m", encrypted_content: "e" });
    const typesOf = (origin: string | undefined, ...input: Item[]) =>
      JSON.parse(
        JSON.stringify(responsesParams({ model: "m", input: [question, ...input] }, {}, origin).input),
      )
        .slice(1)
        .map(({ type }: { type: string }) => type);
    const request = { model: "m", input: [question, own, said, question] };
    assert.deepEqual(responsesParams(request, {}, "here m").input, [
      { type: "message", role: "user", content: "Well?" },
      { type: "reasoning", summary: [{ type: "summary_text", text: "Hm." }], encrypted_content: "e" },
      { type: "message", role: "assistant", content: "Well." },
      { type: "message", role: "user", content: "Well?" },
    ]);
    for (const [thoughts, origin] of [
      [own, "there m"],
      [own, undefined],
      [thought({ origin: "here m" }), "here m"],
      [thought({ origin: "here m", encrypted_content: "e" }, "another"), "here m"],
      [{ type: "reasoning", text: "Hm." } as const, "here m"],
    ] as const)
      assert.deepEqual(typesOf(origin, thoughts, said), ["message"]);
    // A client that brings its own history cannot tell the origin.
    assert.deepEqual(typesOf("here m", thought({ encrypted_content: "e" }), said), ["reasoning", "message"]);
    const blank = textMessage("assistant", " ");
    for (const next of [[], [question], [blank], [blank, question]])
      assert.deepEqual(typesOf("here m", own, ...next), []);
    // Items that are left out keep no neighbours of one role apart.
    const source: Item = { type: "source", url: "http://a.b" };
    assert.deepEqual(paramsOf({ input: [question, own, source, question] }).input, [
      { type: "message", role: "user", content: "Well?\n\nWell?" },
    ]);
    const call: Item = { type: "tool-call", callId: "c", name: "f", arguments: "{}" };
    assert.deepEqual(typesOf("here m", own, own, call), ["reasoning", "reasoning", "function_call"]);
  });

  it("has a note after the question, in a tag", () => {
    assert.deepEqual(paramsOf({ note: "Be short." }).input, [
      { type: "message", role: "user", content: "Well?\n\n<note>Be short.</note>" },
    ]);
  });

  it("has no instructions without words", () => {
    for (const instructions of ["", " ", "\n"])
      assert.deepEqual(paramsOf({ instructions }), {
        model: "m",
        input: [{ type: "message", role: "user", content: "Well?" }],
        stream: true,
      });
  });

  it("has a key for the prompt cache only if the API takes it", () => {
    const request: ProviderRequest = { model: "m", input: [question], cacheKey: "k" };
    assert.equal(responsesParams(request, { takesCacheKey: true }).prompt_cache_key, "k");
    assert.equal("prompt_cache_key" in responsesParams(request), false);
    assert.equal("prompt_cache_key" in responsesParams(request, { takesCacheKey: false }), false);
    const options = { prompt_cache_key: "mine" };
    assert.equal(paramsOf({ options }).prompt_cache_key, "mine");
  });

  it("has that key for OpenAI and Azure, and for no server that may not know it", () => {
    for (const [baseUrl, takesCacheKey] of [
      ["https://api.openai.com/v1", true],
      ["https://eu.api.openai.com/v1", true],
      ["https://mine.openai.azure.com/openai/v1", true],
      ["http://127.0.0.1:8080/v1", false],
      ["http://localhost:11434/v1", false],
      ["https://openai.com.example/v1", false],
      ["https://notopenai.com/v1", false],
      ["https://gateway.example/openai.com/v1", false],
    ] as const)
      assert.deepEqual(dialectOf(baseUrl), { takesCacheKey }, baseUrl);
  });

  it("uses the vendor's names for the options, and keeps zeros", () => {
    const tools = [{ type: "web_search" }];
    assert.deepEqual(paramsOf({ temperature: 0, maxOutputTokens: 1, previousResponseId: "resp_0", tools }), {
      model: "m",
      input: "Well?",
      stream: true,
      temperature: 0,
      max_output_tokens: 1,
      previous_response_id: "resp_0",
      tools,
    });
  });

  it("passes options on, except those that would undo the server's decisions", () => {
    const options = {
      top_p: 0.5,
      store: true,
      model: "other",
      input: "other",
      stream: false,
      instructions: "other",
      temperature: 2,
      max_output_tokens: 9,
      previous_response_id: "other",
      tools: [],
    };
    assert.deepEqual(
      paramsOf({
        options,
        instructions: "Be Ada.",
        temperature: 0.1,
        maxOutputTokens: 5,
        mayStore: false,
        previousResponseId: "resp_0",
        tools: [{ type: "web_search" }],
      }),
      {
        top_p: 0.5,
        store: false,
        model: "m",
        input: [{ type: "message", role: "user", content: "Well?" }],
        stream: true,
        instructions: "Be Ada.",
        temperature: 0.1,
        max_output_tokens: 5,
        previous_response_id: "resp_0",
        tools: [{ type: "web_search" }],
      },
    );
    const { model, input, stream } = paramsOf({ options });
    assert.deepEqual([model, input, stream], ["m", "Well?", true]);
  });
});

describe("a call that asks for reasoning", () => {
  const reasoningOf = (options: ProviderRequest["options"], includeReasoning = true) => {
    const { reasoning, include } = paramsOf({
      includeReasoning,
      ...(options === undefined ? {} : { options }),
    });
    return { reasoning, include };
  };

  it("asks for a summary in addition to the client's options", () => {
    assert.deepEqual(reasoningOf(undefined), { reasoning: { summary: "auto" }, include: undefined });
    assert.deepEqual(reasoningOf({ reasoning: { effort: "high" } }).reasoning, {
      summary: "auto",
      effort: "high",
    });
    assert.deepEqual(reasoningOf({ reasoning: { summary: "detailed" } }).reasoning, { summary: "detailed" });
    assert.deepEqual(reasoningOf({ reasoning: null }).reasoning, { summary: "auto" });
  });

  it("asks once for encrypted reasoning if the vendor does not store it", () => {
    const encrypted = "reasoning.encrypted_content";
    assert.deepEqual(reasoningOf({ store: false }).include, [encrypted]);
    assert.deepEqual(reasoningOf({ store: false, include: ["x", encrypted] }).include, ["x", encrypted]);
    assert.deepEqual(reasoningOf({ store: true, include: ["x"] }).include, ["x"]);
  });

  it("leaves the options as they are if reasoning is not asked for", () => {
    const options = { reasoning: { effort: "low" }, store: false };
    assert.deepEqual(reasoningOf(options, false), { reasoning: { effort: "low" }, include: undefined });
  });

  it("does not change the options that it is given", () => {
    const options = { store: false, include: ["x"], reasoning: { effort: "low" } };
    const before = structuredClone(options);
    reasoningOf(options);
    assert.deepEqual(options, before);
  });
});
