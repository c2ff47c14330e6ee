import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Content, GenerationConfig, Tool, ToolConfig } from "@google/genai";
import { type GeminiParams, geminiParams } from "../../../src/adapters/gemini/contents-params.ts";
import { type Item, textMessage } from "../../../src/ports/item.ts";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { question } from "./gemini-setup.ts";

/** The vendor's types, with the words of its enums as texts. */
type Plain<T> = T extends string
  ? `${T}`
  : T extends object
    ? { readonly [Name in keyof T]: Plain<T[Name]> }
    : T;
/** The body of a request, in the vendor's own types. */
type VendorBody = Plain<{
  contents: Content[];
  systemInstruction?: Content;
  tools?: Tool[];
  toolConfig?: ToolConfig;
  generationConfig?: GenerationConfig;
}>;
/** The names of fields that the vendor's type does not have, at any depth above free JSON. */
type Foreign<Ours, Theirs> = Ours extends readonly (infer One)[]
  ? Theirs extends readonly (infer Its)[]
    ? Foreign<One, Its>
    : never
  : string extends keyof Ours
    ? never
    : Ours extends object
      ? Theirs extends object
        ?
            | Exclude<keyof Ours, keyof Theirs>
            | {
                [Name in keyof Ours & keyof Theirs]: Foreign<
                  NonNullable<Ours[Name]>,
                  NonNullable<Theirs[Name]>
                >;
              }[keyof Ours & keyof Theirs]
        : never
      : never;
const hasNoForeignField: [Foreign<Omit<GeminiParams, "model">, VendorBody>] extends [never] ? true : false =
  true;

function bodyOf(changes: Partial<ProviderRequest> = {}): VendorBody {
  const { model, ...body } = geminiParams({ ...question, ...changes }, "origin");
  return body;
}

const configOf = (changes: Partial<ProviderRequest>) => bodyOf(changes).generationConfig;
const older = "gemini-2.5-flash";
const image = { type: "image", data: "AAAA", mediaType: "image/png" } as const;
const call: Item = { type: "tool-call", callId: "c", name: "rain", arguments: "{}" };
const result: Item = { type: "tool-result", callId: "c", output: [{ type: "text", text: "No." }] };

describe("the request of Gemini", () => {
  it("is nothing but its contents, if nothing else is asked, and has only fields of the vendor", () => {
    assert.deepEqual(bodyOf(), { contents: [{ role: "user", parts: [{ text: "Well?" }] }] });
    assert.ok(hasNoForeignField);
  });

  it("has its system messages apart, alternating roles, and the note last", () => {
    const input = [
      textMessage("system", "Be brief."),
      textMessage("user", "One"),
      textMessage("user", "Two"),
      textMessage("assistant", "  "),
      textMessage("assistant", "Three"),
      textMessage("system", "  "),
      textMessage("assistant", "More"),
      textMessage("user", "Four"),
    ];
    assert.deepEqual(bodyOf({ input, instructions: "Be kind.", note: "Soon." }), {
      systemInstruction: { parts: [{ text: "Be kind." }, { text: "Be brief." }] },
      contents: [
        { role: "user", parts: [{ text: "One\n\nTwo" }] },
        { role: "model", parts: [{ text: "Three\n\nMore" }] },
        { role: "user", parts: [{ text: "Four\n\n<note>Soon.</note>" }] },
      ],
    });
  });

  it("has results right after their calls, in one content for parallel ones", () => {
    const input: Item[] = [
      ...[textMessage("user", "Rain?"), textMessage("assistant", "I look."), call],
      { ...call, callId: "d", name: "snow", arguments: "no JSON" },
      ...[result, { ...result, callId: "d", output: [{ type: "text", text: "A" }, image] } as const],
      ...[{ type: "source", url: "http://a.b" } as const, { type: "reasoning", text: "Hm." } as const],
      textMessage("user", "So?"),
    ];
    const response = (name: string, output: string, more: object = {}) => ({
      functionResponse: { name, response: { output }, ...more },
    });
    const parts = [{ inlineData: { mimeType: "image/png", data: "AAAA" } }];
    assert.deepEqual(bodyOf({ input, model: older }).contents, [
      { role: "user", parts: [{ text: "Rain?" }] },
      {
        role: "model",
        parts: [
          { text: "I look." },
          { functionCall: { name: "rain", args: {} } },
          { functionCall: { name: "snow", args: { arguments: "no JSON" } } },
        ],
      },
      { role: "user", parts: [response("rain", "No."), response("snow", "A", { parts }), { text: "So?" }] },
    ]);
  });

  it("has images and files in parts, by data or by address", () => {
    const parts = [
      ...[{ type: "text", text: "Rain?" } as const, image],
      { type: "image", url: "http://a.b/c.JPG?d=e.png" } as const,
      { type: "file", url: "http://a.b/c", mediaType: "video/mp4" } as const,
      { type: "file", url: "http://a.b/c.exe" } as const,
      { type: "file", data: "BBBB", mediaType: "application/pdf", filename: "rain.pdf" } as const,
    ];
    for (const [role, name] of [
      ["user", "user"],
      ["assistant", "model"],
    ] as const)
      assert.deepEqual(bodyOf({ input: [{ type: "message", role, parts }] }).contents, [
        {
          role: name,
          parts: [
            { text: "Rain?" },
            { inlineData: { mimeType: "image/png", data: "AAAA" } },
            { fileData: { mimeType: "image/jpeg", fileUri: "http://a.b/c.JPG?d=e.png" } },
            { fileData: { mimeType: "video/mp4", fileUri: "http://a.b/c" } },
            { fileData: { fileUri: "http://a.b/c.exe" } },
            { inlineData: { mimeType: "application/pdf", data: "BBBB" } },
          ],
        },
      ]);
  });

  it("has functions of both kinds, and Google's own tools", () => {
    const parameters = { type: "object" };
    const { tools } = bodyOf({
      tools: [
        { type: "function", name: "rain", parameters, strict: true },
        ...["web_search", "code_interpreter", "url_context"].map((type) => ({ type })),
      ],
      functions: [{ name: "snow", description: "Does it snow?", parameters }],
    });
    assert.deepEqual(tools, [
      ...[{ googleSearch: {} }, { codeExecution: {} }, { urlContext: {} }],
      {
        functionDeclarations: [
          { name: "snow", description: "Does it snow?", parametersJsonSchema: parameters },
          { name: "rain", parametersJsonSchema: parameters },
        ],
      },
    ]);
  });

  it("has the options of the Responses API in its own words", () => {
    const schema = { type: "object" };
    const { contents, ...rest } = bodyOf({
      ...{ model: older, temperature: 0.5, cacheKey: "key", mayStore: false },
      options: {
        ...{ instructions: "Be kind.", max_output_tokens: 9, top_p: 0.5, store: false, background: false },
        reasoning: { effort: "low", summary: "auto" },
        text: { format: { type: "json_schema", name: "city", schema, strict: true } },
        tool_choice: { type: "function", name: "rain" },
        ...{ include: ["reasoning.encrypted_content"], prompt_cache_key: "key", parallel_tool_calls: true },
      },
    });
    assert.deepEqual(rest, {
      systemInstruction: { parts: [{ text: "Be kind." }] },
      toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["rain"] } },
      generationConfig: {
        ...{ temperature: 0.5, topP: 0.5, maxOutputTokens: 9, thinkingConfig: { thinkingBudget: 1_024 } },
        ...{ responseMimeType: "application/json", responseJsonSchema: schema },
      },
    });
    assert.deepEqual(configOf({ options: { text: { format: { type: "json_object" } } } }), {
      responseMimeType: "application/json",
    });
    assert.equal(configOf({ options: { text: { format: { type: "text" } } } }), undefined);
    const modeOf = (tool_choice: string) =>
      bodyOf({ options: { tool_choice } }).toolConfig?.functionCallingConfig?.mode;
    assert.deepEqual(["auto", "none", "required"].map(modeOf), [undefined, "NONE", "ANY"]);
  });

  const efforts: readonly (readonly [string, string, object | undefined])[] = [
    ["gemini-3-pro-preview", "high", { thinkingLevel: "HIGH" }],
    ["gemini-3.1-flash", "none", { thinkingLevel: "MINIMAL" }],
    ["gemini-flash-latest", "max", { thinkingLevel: "XHIGH" }],
    ["gemini-2.5-pro", "medium", { thinkingBudget: 8_192 }],
    ["models/gemini-2.5-flash-lite", "none", { thinkingBudget: 0 }],
    ["gemini-2.0-flash", "none", undefined],
  ];
  for (const [model, effort, expected] of efforts)
    it(`asks ${model} for effort ${effort}`, () => {
      assert.deepEqual(configOf({ model, options: { reasoning: { effort } } })?.thinkingConfig, expected);
    });

  it("asks for thoughts if the model thinks", () => {
    const thoughtsOf = (model: string) => configOf({ model, includeReasoning: true })?.thinkingConfig;
    assert.deepEqual(thoughtsOf("gemini-3-pro"), { includeThoughts: true });
    assert.deepEqual(thoughtsOf(older), { includeThoughts: true });
    assert.equal(thoughtsOf("gemini-2.0-flash"), undefined);
  });

  it("has no temperature for models that Google takes none for", () => {
    const changes = { temperature: 0.5, options: { top_p: 0.5 } };
    for (const model of ["gemini-3-pro-preview", "gemini-3.5-flash", "gemini-4"])
      assert.equal(configOf({ model, ...changes }), undefined);
    for (const model of [older, "gemini-flash-latest", "gemma-4-31b-it"])
      assert.deepEqual(configOf({ model, ...changes }), { temperature: 0.5, topP: 0.5 });
  });

  it("finds no earlier response, because Gemini keeps none", () => {
    assert.throws(
      () => bodyOf({ previousResponseId: "resp_1" }),
      (error) =>
        error instanceof TroupeError &&
        error.code === "previous_response_not_found" &&
        error.isUnread === true,
    );
  });

  const refused: readonly (readonly [string, Partial<ProviderRequest>])[] = [
    ["options.background", { options: { background: true } }],
    ["options.store", { options: { store: true } }],
    ["options.metadata", { options: { metadata: { a: "b" } } }],
    ["options.parallel_tool_calls", { options: { parallel_tool_calls: false } }],
    ["options.include", { options: { include: ["web_search_call.results"] } }],
    ["options.text", { options: { text: { verbosity: "low" } } }],
    ["options.text", { options: { text: { format: { type: "grammar" } } } }],
    ["options.reasoning", { options: { reasoning: { effort: "__proto__" } } }],
    ["options.reasoning", { model: "gemini-2.0-flash", options: { reasoning: { effort: "high" } } }],
    ["options.tool_choice", { options: { tool_choice: { type: "web_search" } } }],
    ["tools.1", { tools: [{ type: "function", name: "a" }, { type: "file_search" }] }],
    ["input.0", { input: [{ type: "message", role: "system", parts: [image] }] }],
    ["input.1", { input: [call, { ...result, callId: "d" }] }],
    ["input.0", { input: [result, call] }],
  ];
  for (const [field, changes] of refused)
    it(`refuses ${field}, which it cannot say: ${JSON.stringify(changes)}`, () => {
      assert.throws(
        () => bodyOf(changes),
        (error) =>
          error instanceof TroupeError && error.code === "upstream_invalid_request" && error.field === field,
      );
    });
});
