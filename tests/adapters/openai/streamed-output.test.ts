import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { growthOfEvent } from "../../../src/adapters/openai/streamed-events.ts";
import { StreamedOutput } from "../../../src/adapters/openai/streamed-output.ts";
import {
  added,
  at,
  completed,
  created,
  delta,
  done,
  type Event,
  hear,
  message,
  source,
  textPart,
  unfinished,
} from "./hear-events.ts";

/** Ends without output of their own. */
const poorEnds = { absent: {}, null: { output: null }, empty: { output: [] }, "no list": { output: "odd" } };

describe("data.output has the items that only events brought", () => {
  const call = { id: "fc_1", type: "function_call", call_id: "call_1", name: "weather" };
  const thought = { id: "rs_1", type: "reasoning" };
  const cases: readonly {
    what: string;
    events: readonly Event[];
    output: readonly object[];
    finish?: string;
  }[] = [
    {
      what: "deltas of an announced message",
      events: [added(unfinished({ ...message(""), content: [] })), delta("Rain "), delta("falls.")],
      output: [message("Rain falls.", { status: "completed" })],
    },
    {
      what: "deltas of a message that nothing announced",
      events: [delta("Rain "), delta("falls.")],
      output: [message("Rain falls.")],
    },
    {
      what: "deltas without a place",
      events: ["Rain ", "falls."].map((text) => ({ type: "response.output_text.delta", delta: text })),
      output: [{ ...message("Rain falls."), id: undefined }],
    },
    { what: "an item that is done", events: [done(message("Rain."))], output: [message("Rain.")] },
    {
      what: "a citation that is an event",
      events: [
        delta("Hi"),
        { type: "response.output_text.annotation.added", ...at({ annotation_index: 0, annotation: source }) },
      ],
      output: [message("Hi", { content: [textPart("Hi", [source])] })],
    },
    {
      what: "a citation under its other name",
      events: [
        delta("Hi"),
        { type: "response.output_text_annotation.added", ...at({ annotation: source }) },
        done(message("Hi")),
      ],
      output: [message("Hi", { content: [textPart("Hi", [source])] })],
    },
    {
      what: "the whole text of a part",
      events: [{ type: "response.content_part.done", ...at({ part: textPart("Hi", [source]) }) }],
      output: [message("Hi", { content: [textPart("Hi", [source])] })],
    },
    {
      what: "a refusal",
      events: ["I ", "won't."].map((text) => ({ type: "response.refusal.delta", ...at({ delta: text }) })),
      output: [message("", { content: [{ type: "refusal", refusal: "I won't." }] })],
    },
    {
      what: "a reasoning summary in two parts",
      events: [0, 1].flatMap((summary_index) =>
        ["a", "b"].map((text) => ({
          type: "response.reasoning_summary_text.delta",
          ...{ item_id: "rs_1", output_index: 0, summary_index, delta: `${text}${summary_index}` },
        })),
      ),
      output: [
        {
          ...thought,
          summary: ["a0b0", "a1b1"].map((text) => ({ type: "summary_text", text })),
        },
      ],
    },
    {
      what: "reasoning itself",
      events: [
        {
          type: "response.reasoning_text.delta",
          item_id: "rs_1",
          output_index: 0,
          content_index: 0,
          delta: "hm",
        },
      ],
      output: [{ ...thought, summary: [], content: [{ type: "reasoning_text", text: "hm" }] }],
    },
    {
      what: "arguments of a function",
      events: [
        added(unfinished({ ...call, arguments: "" })),
        ...['{"city":', '"Ulm"}'].map((text) => ({
          type: "response.function_call_arguments.delta",
          ...{ item_id: "fc_1", output_index: 0, delta: text },
        })),
      ],
      output: [{ ...call, status: "completed", arguments: '{"city":"Ulm"}' }],
      finish: "tool_calls",
    },
    {
      what: "arguments that came whole, with the function's name",
      events: [
        {
          type: "response.function_call_arguments.done",
          ...{ item_id: "fc_1", output_index: 0, name: "weather", arguments: "{}" },
        },
      ],
      output: [{ id: "fc_1", type: "function_call", status: "completed", name: "weather", arguments: "{}" }],
      finish: "tool_calls",
    },
    {
      what: "input of a custom tool",
      events: [
        { type: "response.custom_tool_call_input.delta", item_id: "ct_1", output_index: 0, delta: "ls" },
      ],
      output: [{ id: "ct_1", type: "custom_tool_call", status: "completed", input: "ls" }],
      finish: "tool_calls",
    },
    {
      what: "arguments of a remote tool",
      events: [{ type: "response.mcp_call_arguments.delta", item_id: "mcp_1", output_index: 0, delta: "{}" }],
      output: [{ id: "mcp_1", type: "mcp_call", status: "completed", arguments: "{}" }],
    },
    {
      what: "code",
      events: [
        { type: "response.code_interpreter_call_code.delta", item_id: "ci_1", output_index: 0, delta: "1+1" },
      ],
      output: [{ id: "ci_1", type: "code_interpreter_call", status: "completed", code: "1+1" }],
    },
    {
      what: "items in the order of their places, not of their events",
      events: [done(message("Rain."), 1), done({ ...thought, summary: [] }, 0)],
      output: [{ ...thought, summary: [] }, message("Rain.")],
    },
    {
      what: "items that all name the same place",
      events: [done({ ...thought, summary: [] }, 0), delta("Rain."), done(message("Rain."), 0)],
      output: [{ ...thought, summary: [] }, message("Rain.")],
    },
    {
      what: "two messages that are announced at the same place",
      events: [
        added(message("", { content: [] })),
        delta("Rain."),
        added(message("", { id: "msg_2", content: [] })),
        delta("Snow.", { item_id: "msg_2" }),
      ],
      output: [message("Rain."), message("Snow.", { id: "msg_2" })],
    },
    {
      what: "an announced item with no more fields than the vendor gave it",
      events: [added({ id: "rs_1", type: "reasoning", encrypted_content: "x" })],
      output: [{ ...thought, encrypted_content: "x" }],
    },
    {
      what: "a tool's item that is neither text nor call",
      events: [done({ id: "ws_1", type: "web_search_call", status: "completed", action: { query: "rain" } })],
      output: [{ id: "ws_1", type: "web_search_call", status: "completed", action: { query: "rain" } }],
    },
  ];
  for (const { what, events, output, finish = "stop" } of cases)
    it(what, () => {
      for (const [how, end] of Object.entries(poorEnds)) {
        const heard = hear([created, ...events, completed(end)]);
        assert.deepEqual(plain(heard.output), plain(output), how);
        assert.equal(heard.finishReason, finish, how);
      }
    });
});

/** Drops the fields that are undefined, as JSON does on the wire. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null));
}

describe("an end that has only a part of the streamed items", () => {
  const streamed = [
    created,
    delta("Rain "),
    delta("falls."),
    done(message("Rain falls.", { content: [textPart("Rain falls.", [source])] })),
  ];
  const whole = message("Rain falls.", { content: [textPart("Rain falls.", [source])] });
  const ends: readonly [string, object, object][] = [
    ["nothing but the item's name", { id: "msg_1", type: "message" }, whole],
    ["an empty content", message("", { content: [] }), whole],
    ["an empty text", message(""), whole],
    ["the beginning of the text", message("Rain", { content: [textPart("Rain", [source])] }), whole],
    ["no citations", message("Rain falls."), whole],
    ["another id of the same item", { ...whole, id: "msg_9" }, { ...whole, id: "msg_9" }],
    [
      "another text: it stays",
      message("Snow."),
      message("Snow.", { content: [textPart("Snow.", [source])] }),
    ],
  ];
  for (const [what, item, expected] of ends)
    it(`${what}`, () => {
      const heard = hear([...streamed, completed({ output: [item] })]);
      assert.deepEqual(heard.output, [expected]);
      assert.equal(heard.text, "Rain falls.");
    });

  it("that is whole stays the very same object", () => {
    const output = [whole, { id: "x", type: "later_kind", nested: { a: [null] } }];
    assert.deepEqual(hear([...streamed, completed({ output })]).output, output);
  });

  it("that makes one message of two has no text twice", () => {
    const events = [created, delta("Rain "), delta("falls.", { item_id: "msg_2", output_index: 1 })];
    const output = [message("Rain falls.")];
    const heard = hear([...events, completed({ output })]);
    assert.deepEqual([heard.output, heard.text], [output, "Rain falls."]);
  });
});

it("the held part of an answer is bounded: beyond the bound the end stays as it came", () => {
  const large = "x".repeat(1024 * 1024);
  const events = Array.from({ length: 18 }, () => delta(large));
  const heard = hear([created, ...events, completed({ output: [] })]);
  assert.equal(heard.text.length, 18 * large.length);
  assert.deepEqual(heard.output, []);
  const whole = hear([created, ...events, completed({ output: [message(large.repeat(15))] })]);
  assert.equal(whole.text.length, 18 * large.length);
});

it("an answer of very many empty parts or items is not held", () => {
  const { growth } = growthOfEvent("response.output_text.delta") ?? {};
  assert.ok(growth !== undefined);
  for (const name of ["content_index", "output_index"]) {
    const output = new StreamedOutput({ maxChars: Number.MAX_SAFE_INTEGER, isFromStart: true });
    const places = { output_index: 0, content_index: 0 };
    const grow = (index: number) => output.grow(growth, { ...places, [name]: index }, "");
    for (let index = 0; index < 1_000; index += 1) grow(index);
    assert.notEqual(output.items("completed").length, 0);
    for (let index = 1_000; index < 2_000; index += 1) grow(index);
    assert.deepEqual(output.items("completed"), []);
  }
});
