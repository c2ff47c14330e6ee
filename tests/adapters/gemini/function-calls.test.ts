import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import type { Item } from "../../../src/ports/item.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { hear } from "../../ports/hear.ts";
import { call, chunk, createGeminiSetup, finish, hearEvents, text } from "./gemini-setup.ts";

const begin = (name: string, more: object = {}) => call({ name, willContinue: true, ...more });
const piece = (jsonPath: string, value: object, more: object = {}) =>
  call({ partialArgs: [{ jsonPath, ...value, ...more }], willContinue: true });
const closed = call({});

/** The calls of the end's items, as `name arguments`. */
async function callsOf(...events: readonly string[]): Promise<string[]> {
  const { end, thrown } = await hearEvents([...events, finish("STOP")]);
  assert.equal(thrown, undefined);
  assert.equal(end?.finishReason, "tool_calls");
  return (end.items ?? []).flatMap((item) =>
    item.type === "tool-call" ? [`${item.name} ${item.arguments}`] : [],
  );
}

describe("function calls of Gemini", () => {
  it("are told when they begin and when they are whole, and are the items of the answer", async () => {
    const { events, end } = await hearEvents([
      text("I look."),
      call({ name: "rain", args: { city: "Oslo" } }),
      finish("STOP"),
    ]);
    const item = { type: "function_call", id: "fc_call_r-1_0", call_id: "call_r-1_0", name: "rain" };
    const tool = { type: "tool", tool: "function", callId: "call_r-1_0" };
    const whole = { ...item, arguments: '{"city":"Oslo"}', status: "completed" };
    assert.deepEqual(
      events.filter(({ type }) => type === "tool"),
      [
        { ...tool, status: "in_progress", payload: { ...item, arguments: "", status: "in_progress" } },
        { ...tool, status: "completed", payload: whole },
      ],
    );
    assert.deepEqual(end?.items, [
      { type: "message", role: "assistant", parts: [{ type: "text", text: "I look." }] },
      { type: "tool-call", callId: "call_r-1_0", name: "rain", arguments: '{"city":"Oslo"}' },
    ]);
    assert.deepEqual([end?.response?.output].flat().at(-1), whole);
  });

  it("keep the vendor's ids, and get ids that differ from answer to answer", async () => {
    const events = (responseId: string) => [
      chunk(
        [{ functionCall: { id: "f7", name: "rain" } }, { functionCall: { name: "snow" } }],
        {},
        { responseId },
      ),
      finish("STOP"),
    ];
    const idsOf = async (responseId: string) =>
      ((await hearEvents(events(responseId))).end?.items ?? []).map((item) =>
        item.type === "tool-call" ? item.callId : "",
      );
    assert.deepEqual(await idsOf("a"), ["f7", "call_a_1"]);
    assert.deepEqual(await idsOf("ä/b"), ["f7", "call___b_1"]);
    assert.deepEqual(await idsOf(""), ["f7", "call_1"]);
  });

  const stringy = (value: string, more: object = {}) => piece("$.city", { stringValue: value }, more);
  const forms: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["whole, without arguments", [call({ name: "rain" })], ["rain {}"]],
    [
      "several in one chunk and in several",
      [
        chunk([{ functionCall: { name: "a", args: {} } }, { functionCall: { name: "b" } }]),
        call({ name: "a" }),
      ],
      ["a {}", "b {}", "a {}"],
    ],
    [
      "in pieces, with a text in pieces",
      [
        begin("rain"),
        stringy("Os", { willContinue: true }),
        stringy("lo", { willContinue: true }),
        stringy(""),
        closed,
      ],
      ['rain {"city":"Oslo"}'],
    ],
    [
      "in pieces, of every kind and place",
      [
        begin("rain", { partialArgs: [{ jsonPath: "$.days", numberValue: 3 }] }),
        piece("$.stops[0].city", { stringValue: "Oslo" }),
        piece("$.stops[1]['the city']", { stringValue: "Rome" }),
        piece('$.stops[1]["is \\"it\\""]', { boolValue: false }),
        piece("$.until", { nullValue: "NULL_VALUE" }),
        closed,
      ],
      ['rain {"days":3,"stops":[{"city":"Oslo"},{"the city":"Rome","is \\"it\\"":false}],"until":null}'],
    ],
    ["without pieces", [begin("rain"), closed], ["rain {}"]],
    [
      "without an end, before the next",
      [begin("rain"), stringy("Oslo"), begin("snow"), closed],
      ['rain {"city":"Oslo"}', "snow {}"],
    ],
    [
      "with a name that means something in JavaScript",
      [begin("rain"), piece("$.__proto__.a", { numberValue: 1 }), closed],
      ['rain {"__proto__":{"a":1}}'],
    ],
  ];
  for (const [name, events, expected] of forms)
    it(`come ${name}`, async () => {
      assert.deepEqual(await callsOf(...events), expected);
    });

  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["no name", [call({ args: {} })]],
    ["no open call", [call({ name: "rain" }), closed]],
    ["an index far from its list", [begin("rain"), piece("$.a[4000000000]", { numberValue: 1 })]],
    [
      "a place inside a text",
      [begin("rain"), piece("$.a", { stringValue: "x" }), piece("$.a.b", { numberValue: 1 })],
    ],
    ["no path", [begin("rain"), piece("$", { numberValue: 1 })]],
    ["a path of no known form", [begin("rain"), piece("$..a", { numberValue: 1 })]],
    ["a path without an end", [begin("rain"), piece(`$${".a".repeat(65)}`, { numberValue: 1 })]],
  ];
  for (const [name, events] of wrong)
    it(`are not valid with ${name}`, async () => {
      const { thrown } = await hearEvents([...events, finish("STOP")]);
      assert.ok(thrown instanceof TroupeError);
      assert.equal(thrown.code, "upstream_invalid");
    });

  it("are no items if they were cut, because they must not be run", async () => {
    const { end } = await hearEvents([call({ name: "rain" }), finish("MAX_TOKENS")]);
    assert.deepEqual([end?.finishReason, end?.items], ["length", undefined]);
  });

  const long = "x".repeat(9 * 1024 * 1024);
  const big = call({ name: "rain", args: { long } });
  const small = chunk(Array(70_000).fill({ functionCall: { name: "a" } }));
  const deep = begin("a", {
    partialArgs: Array.from({ length: 2_000 }, (_, index) => ({
      jsonPath: `$.a[${index}]${".b".repeat(60)}`,
      numberValue: 1,
    })),
  });
  for (const [name, events] of [
    ["of long calls", [big, big]],
    ["of many calls", [small]],
    ["of deep arguments", [deep]],
  ] as const)
    it(`end the answer at a bound of its size, ${name}`, async () => {
      const { thrown } = await hearEvents([...events, finish("STOP")]);
      assert.ok(thrown instanceof TroupeError);
      assert.equal(thrown.code, "answer_too_large");
    });
});

const sent = z.object({ contents: z.array(z.unknown()) });

describe("the signatures of Gemini", () => {
  const result = (callId: string): Item => ({
    ...{ type: "tool-result", callId },
    output: [{ type: "text", text: "No." }],
  });
  const signed = [
    chunk([{ text: "Hm.", thought: true, thoughtSignature: "sig-thought" }]),
    text("I look."),
    chunk([{ text: "", thoughtSignature: "sig-text" }]),
    call({ id: "f1", name: "rain", args: {} }, { thoughtSignature: "sig-call" }),
    call({ id: "f2", name: "snow", args: {} }),
    finish("STOP"),
  ];

  /** The contents that the second call sends, whose context has the items of the first. */
  async function contentsAfter(change: { readonly model?: string; readonly apiKey?: string } = {}) {
    await using first = await createGeminiSetup();
    await using second = await createGeminiSetup(undefined, change.apiKey ?? "key-of-a-test");
    first.double.respond(streamScript(signed));
    const { end } = await hear(first);
    const input = [...first.request.input, ...(end?.items ?? []), result("f1"), result("f2")];
    const under = change.apiKey === undefined ? first : second;
    under.double.respond(streamScript([text("No."), finish("STOP")]));
    const { thrown } = await hear(under, { input, model: change.model ?? first.request.model });
    assert.equal(thrown, undefined);
    return sent.parse(under.double.requests.at(-1)?.body).contents;
  }

  it("go back with their parts, and ids with their calls", async () => {
    const response = (id: string, name: string) => ({
      functionResponse: { id, name, response: { output: "No." } },
    });
    assert.deepEqual(await contentsAfter(), [
      { role: "user", parts: [{ text: "Well?" }] },
      {
        role: "model",
        parts: [
          { text: "Hm.", thought: true, thoughtSignature: "sig-thought" },
          { text: "I look.", thoughtSignature: "sig-text" },
          { functionCall: { id: "f1", name: "rain", args: {} }, thoughtSignature: "sig-call" },
          { functionCall: { id: "f2", name: "snow", args: {} } },
        ],
      },
      { role: "user", parts: [response("f1", "rain"), response("f2", "snow")] },
    ]);
  });

  const plain = (sentinel: object) => [
    { role: "user", parts: [{ text: "Well?" }] },
    {
      role: "model",
      parts: [
        { text: "I look." },
        { functionCall: { name: "rain", args: {} }, ...sentinel },
        { functionCall: { name: "snow", args: {} } },
      ],
    },
    {
      role: "user",
      parts: ["rain", "snow"].map((name) => ({ functionResponse: { name, response: { output: "No." } } })),
    },
  ];
  const skip = { thoughtSignature: "skip_thought_signature_validator" };

  it("do not go to another model or account, which gets the word for none", async () => {
    assert.deepEqual(await contentsAfter({ model: "gemini-3-flash" }), plain(skip));
    assert.deepEqual(await contentsAfter({ apiKey: "another-key-of-a-test" }), plain(skip));
  });

  it("are not asked for by older models, which get no such word", async () => {
    assert.deepEqual(await contentsAfter({ model: "gemini-2.5-flash" }), plain({}));
  });

  it("are items of an answer of text, too", async () => {
    const { end } = await hearEvents([
      text("Yes."),
      chunk([{ text: "", thoughtSignature: "s" }]),
      finish("STOP"),
    ]);
    const [item] = end?.items ?? [];
    assert.equal(item?.providerState?.state.signature, "s");
    assert.equal((await hearEvents([text("Yes."), finish("STOP")])).end?.items, undefined);
  });
});
