import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { wireLimits } from "../../src/protocol/limits.ts";

const decoded = (data: object) => decodeClientMessage(JSON.stringify({ type: "openai_chat", data }));

function accepted(data: object): unknown {
  const result = decoded(data);
  assert.ok(result.ok, result.ok ? "" : result.error.publicMessage);
  const input = result.message.type === "openai_chat" ? result.message.data.input : undefined;
  return input === undefined ? undefined : JSON.parse(JSON.stringify(input));
}

function refused(data: object, field: string, detail: RegExp): void {
  const result = decoded(data);
  assert.ok(!result.ok, JSON.stringify(data).slice(0, 200));
  assert.deepEqual([result.error.code, result.error.field], ["invalid_message", field]);
  assert.match(result.error.detail ?? "", detail);
}

const ofUser = (...content: object[]) => ({ role: "user", content });
const image = (image_url: unknown, more: object = {}) => ofUser({ type: "input_image", image_url, ...more });
const file = (source: object) => ofUser({ type: "input_file", ...source });

/** Each item and, if it differs, the form in which it is decoded. */
const good: readonly (readonly [item: object, read?: object])[] = [
  [{ role: "user", content: "Why?" }],
  [{ type: "message", role: "system", content: "Be brief." }],
  [{ role: "developer", content: "Be brief." }],
  [
    {
      ...{ type: "message", id: "msg_1", status: "completed", role: "assistant" },
      content: [
        { type: "output_text", text: "Because.", annotations: [], logprobs: [] },
        { type: "refusal", refusal: "No." },
      ],
    },
    {
      ...{ type: "message", role: "assistant" },
      content: [
        { type: "output_text", text: "Because." },
        { type: "refusal", refusal: "No." },
      ],
    },
  ],
  [ofUser({ type: "input_text", text: "" }, { type: "input_text", text: "Why?" })],
  [image("https://pictures.example/a.png?x=1#y")],
  [image("http://127.0.0.1:8080/a.png", { detail: "auto" })],
  [image("data:image/svg+xml;base64,PHN2Zz4=")],
  [file({ filename: "a b.pdf", file_data: "data:application/pdf;base64,JVBERi0=" })],
  [file({ file_url: "https://files.example/a.pdf" })],
  [{ type: "function_call", call_id: "call_1", name: "rain", arguments: '{"at":' }],
  [
    { type: "function_call", id: "fc_1", status: "completed", call_id: "c", name: "rain", arguments: "" },
    { type: "function_call", call_id: "c", name: "rain", arguments: "" },
  ],
  [{ type: "function_call_output", call_id: "call_1", output: "" }],
  [{ type: "function_call_output", call_id: "c", output: [{ type: "input_text", text: "It rains." }] }],
  [
    {
      type: "reasoning",
      id: "rs_1",
      summary: [{ type: "summary_text", text: "Rain" }],
      encrypted_content: "e",
    },
    { type: "reasoning", summary: [{ text: "Rain" }], encrypted_content: "e" },
  ],
  [
    { type: "reasoning", id: "rs_1", summary: [], encrypted_content: null },
    { type: "reasoning", summary: [] },
  ],
];

const types = /must be message, function_call, function_call_output or reasoning/;
const parts = /must be input_text, output_text, refusal, input_image or input_file/;
const bad: readonly (readonly [item: unknown, below: string, detail: RegExp])[] = [
  [7, "", /must be an object/],
  [{ type: "web_search_call" }, ".type", types],
  [{ type: "item_reference", id: "msg_1" }, ".type", types],
  [{ content: "Why?" }, ".role", /must be "user"/],
  [{ role: "tool", content: "Why?" }, ".role", /must be "user"/],
  [{ role: "user" }, ".content", /must be text, or a list|is missing|is not valid/],
  [{ role: "user", content: " \n" }, ".content", /more than white space/],
  [ofUser(), ".content", /at least 1 item/],
  [ofUser({ type: "text", text: "Why?" }), ".content.0.type", parts],
  [ofUser({ type: "input_audio" }), ".content.0.type", parts],
  [image("ftp://pictures.example/a.png"), ".content.0.image_url", /begins with https/],
  [image("file:///etc/passwd"), ".content.0.image_url", /begins with https/],
  [image("data:image/png,raw"), ".content.0.image_url", /begins with https/],
  [image(undefined, { file_id: "file-1" }), ".content.0.image_url", /is missing/],
  [image("https://pictures.example/a.png", { detail: "low" }), ".content.0.detail", /must be "auto"/],
  [file({}), ".content.0", /either file_url or file_data/],
  [file({ file_id: "file-1" }), ".content.0", /either file_url or file_data/],
  [file({ file_url: "https://a.example", file_data: "data:a/b;base64,AA" }), ".content.0", /either/],
  [file({ file_data: "JVBERi0=" }), ".content.0.file_data", /data:TYPE;base64,DATA/],
  [{ type: "function_call", name: "rain", arguments: "{}" }, ".call_id", /is missing/],
  [{ type: "function_call", call_id: "c", name: "a\n", arguments: "{}" }, ".name", /control character/],
  [{ type: "function_call", call_id: "c", name: "rain", arguments: {} }, ".arguments", /must be text/],
  [{ type: "function_call_output", call_id: "c" }, ".output", /must be text|is missing|is not valid/],
  [{ type: "function_call_output", call_id: "x".repeat(513), output: "" }, ".call_id", /512/],
  [{ type: "reasoning", summary: "Rain" }, ".summary", /must be a list/],
];

describe("the items of openai_chat", () => {
  for (const [item, read = item] of good)
    it(`are read: ${JSON.stringify(item)}`, () => {
      assert.deepEqual(accepted({ input: [item, item] }), [read, read]);
      assert.deepEqual(accepted({ input_text: null, input: [item] }), [read]);
    });

  for (const [item, below, detail] of bad)
    it(`are refused: ${JSON.stringify(item).slice(0, 120)}`, () => {
      refused({ input: [{ role: "user", content: "Why?" }, item] }, `data.input.1${below}`, detail);
    });

  it("stand in the place of the text, never beside it", () => {
    const input = [{ role: "user", content: "Why?" }];
    refused({}, "data.input_text", /is missing/);
    refused({ input_text: null, input: null }, "data.input_text", /is missing/);
    refused({ input_text: "Why?", input }, "data.input", /must be left out beside data.input_text/);
    refused({ input: [] }, "data.input", /at least 1 item/);
    refused({ input: "Why?" }, "data.input", /must be a list/);
    assert.equal(accepted({ input_text: "Why?", input: null }), undefined);
  });

  it("are bounded in number", () => {
    const items = (count: number) => Array(count).fill({ role: "user", content: "Why?" });
    const texts = (count: number) => [ofUser(...Array(count).fill({ type: "input_text", text: "Why?" }))];
    assert.ok(accepted({ input: items(wireLimits.inputItems) }));
    refused({ input: items(wireLimits.inputItems + 1) }, "data.input", /at most 1000 items/);
    assert.ok(accepted({ input: texts(wireLimits.inputParts) }));
    refused({ input: texts(wireLimits.inputParts + 1) }, "data.input.0.content", /at most 256 items/);
  });
});
