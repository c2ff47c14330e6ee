import assert from "node:assert/strict";
import { test } from "node:test";
import { createPartReader } from "../../../src/client/part-reader.ts";
import { readServerMessage } from "../../../src/client/read-message.ts";
import { LongMessage } from "../../../src/doors/websocket/long-message.ts";
import { wireLimits } from "../../../src/protocol/limits.ts";
import { type ServerMessage, serverMessage } from "../../../src/protocol/server-messages.ts";

const { serverMessageBytes } = wireLimits;
const position = { request_id: "r", seq: 7 };
const persona = { id: "ada", name: "Ada", description: "Counts." };
const answer = (text: string) => ({
  ...{ persona_id: "ada", response: text, index: 0, status: "completed", persona, model: "m", api: "openai" },
  finish_reason: "stop",
});
const end = {
  type: "response",
  status: "completed",
  message: "Completed.",
  finish_reason: "stop",
  ...position,
};

/** Every message that can be large, with the given text in it. */
const large: Readonly<Record<string, (text: string) => object>> = {
  persona_response: (text) => ({ type: "persona_response", ...answer(text), ...position }),
  "response to openai_chat": (text) => ({
    ...{ ...end, request_type: "openai_chat" },
    data: {
      id: "resp_1",
      output: [{ type: "message", content: [{ text }] }],
      output_text: text,
      finish_reason: "stop",
    },
  }),
  "response to chat": (text) => ({
    ...{ ...end, request_type: "chat" },
    data: { ...answer(text), index: undefined, status: undefined, conversation_id: "c" },
  }),
  "response to multi_chat": (text) => ({
    ...{ ...end, request_type: "multi_chat" },
    data: {
      ...{ responses: [answer(text), answer("Short.")], combined: `Ada:\n${text}`, outcome: "complete" },
      ...{ conversation_id: "c", finish_reason: "stop" },
    },
  }),
  "response with very many members": () => ({
    ...{ ...end, request_type: "openai_chat" },
    data: {
      ...Object.fromEntries(
        Array.from({ length: 12_000 }, (_, index) => [`${index}`.padEnd(100, "."), index]),
      ),
      ...{ id: "resp_1", output_text: "Short.", finish_reason: "stop" },
    },
  }),
  tool: (text) => ({
    ...{ type: "tool", tool: "image_generation_call", status: "completed", call_id: "c", ...position },
    payload: { id: "ig_1", result: text },
  }),
  reasoning: (text) => ({ type: "reasoning", text, ...position }),
  reset: (text) => ({ type: "reset", request_id: "r", through_seq: 6, lanes: [{ persona_id: "ada", text }] }),
  question: (text) => ({
    ...{ type: "question", conversation_id: "c", request_id: "r", request_type: "chat" },
    ...{ message: text, persona_ids: ["ada"] },
  }),
};

/** Texts whose bytes, escapes and surrogate pairs fit no round block size. */
const alphabets = ["x", 'a"\\\n', "雨", "👩‍🚀é"];

for (const [name, build] of Object.entries(large))
  test(`a ${name} that is too large comes in parts that every client can read, then in its short form`, () => {
    for (const alphabet of alphabets) {
      const whole = JSON.parse(
        JSON.stringify(build(alphabet.repeat(1_200_001 / alphabet.length))),
      ) as ServerMessage;
      const long = LongMessage.from(JSON.stringify(whole));
      assert.ok(long instanceof LongMessage);
      const texts = [...long.messages()];
      for (const text of texts) assert.ok(Buffer.byteLength(text) <= serverMessageBytes);
      for (const text of texts.slice(0, -1)) assert.ok(Buffer.byteLength(text) <= 64 * 1024);
      const short = JSON.parse(texts.at(-1) ?? "") as ServerMessage & { in_parts?: number };
      assert.equal(short.in_parts, texts.length - 1);
      assert.ok(serverMessage.safeParse(short).success, JSON.stringify(serverMessage.safeParse(short).error));
      for (const field of ["type", "request_id", "seq", "status", "call_id", "through_seq"] as const)
        assert.deepEqual(Reflect.get(short, field), Reflect.get(whole, field));
      const reader = createPartReader();
      const read = texts.map((text) => {
        const message = readServerMessage(text);
        return message && reader.read(message);
      });
      assert.deepEqual(read.slice(0, -1).filter(Boolean), []);
      assert.deepEqual(read.at(-1), whole);
    }
  });

test("a message that just fits is sent as it is, byte for byte", () => {
  const text = (bytes: number) => {
    const empty = Buffer.byteLength(JSON.stringify(large.reasoning?.("")));
    return JSON.stringify(large.reasoning?.("é".repeat((bytes - empty) / 2)));
  };
  const even = Buffer.byteLength(JSON.stringify(large.reasoning?.(""))) % 2;
  const fits = text(serverMessageBytes - even);
  assert.equal(LongMessage.from(fits), fits);
  assert.ok(LongMessage.from(text(serverMessageBytes - even + 2)) instanceof LongMessage);
});

test("a client that missed a part, or met a drop between two, takes the short form and no mixture", () => {
  const whole = JSON.stringify(large.reasoning?.("x".repeat(2_000_000)));
  const long = LongMessage.from(whole);
  assert.ok(long instanceof LongMessage);
  const messages = [...long.messages()].map((text) => readServerMessage(text) as ServerMessage);
  const reader = createPartReader();
  for (const message of messages.slice(0, 3)) reader.read(message);
  reader.clear();
  for (const message of messages.slice(0, -1)) reader.read(message);
  assert.deepEqual(reader.read(messages.at(-1) as ServerMessage), JSON.parse(whole));
  for (const message of messages.slice(5, -1)) reader.read(message);
  const short = reader.read(messages.at(-1) as ServerMessage);
  assert.ok(short?.type === "reasoning" && short.text === "" && short.in_parts === messages.length - 1);
});

test("the short form keeps texts of 1,024 characters and lists of 16,384, and empties longer ones", () => {
  const data = {
    ...{ text: "x".repeat(1_024), longText: "x".repeat(1_025) },
    ...{ list: ["x".repeat(16_380)], longList: ["x".repeat(16_381)] },
  };
  const whole = { type: "tool", payload: { ...data, result: "x".repeat(2_000_000) }, ...position };
  const long = LongMessage.from(JSON.stringify(whole));
  assert.ok(long instanceof LongMessage);
  const { payload } = JSON.parse([...long.messages()].at(-1) ?? "");
  assert.deepEqual(payload, { ...data, longText: "", longList: [], result: "" });
});
