import fc from "fast-check";
import { anyDelta, type StreamShapes } from "./any-stream.ts";

const name = "response.output_text.delta";

const fields = {
  type: fc.constant(name),
  sequence_number: fc.oneof(fc.nat(), fc.constant(-1), fc.constant(1.5), fc.constant(1e21)),
  item_id: fc.constantFrom("msg_1", "msg_1", "msg_2"),
  output_index: fc.constant(0),
  content_index: fc.constantFrom(0, 0, 1),
  delta: anyDelta,
  logprobs: fc.constantFrom<unknown[][]>([], [], [{ token: "a", delta: "b" }]),
  obfuscation: fc.constantFrom("x7", "", "Yh2kP", '"'),
};

/** The event that a model sends most often. Such events differ only in text, number and padding. */
const plain = fc
  .record({
    sequence_number: fc.nat({ max: 2_000 }),
    delta: anyDelta,
    obfuscation: fc.constantFrom("x7", "", "Yh2kP"),
  })
  .map(({ sequence_number, delta, obfuscation }) => ({
    type: name,
    sequence_number,
    item_id: "msg_1",
    output_index: 0,
    content_index: 0,
    delta,
    logprobs: [],
    obfuscation,
  }));

/** The same event for reasoning. */
const thought = fc
  .record({ sequence_number: fc.nat({ max: 2_000 }), delta: anyDelta })
  .map(({ sequence_number, delta }) => ({
    type: "response.reasoning_summary_text.delta",
    ...{ sequence_number, item_id: "rs_1", output_index: 0, summary_index: 0, delta },
  }));

/** An event that only looks like these. */
const other = fc.oneof(
  { weight: 3, arbitrary: fc.record(fields) },
  { weight: 2, arbitrary: fc.record(fields, { requiredKeys: ["type"] }) },
  {
    weight: 2,
    arbitrary: fc.record({ ...fields, type: fc.constant("response.refusal.delta") }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<object>(
      { type: "response.output_text.done", delta: "not a delta" },
      { type: "response.refusal.delta", delta: "no" },
      { type: "response.output_text.delta", delta: 5 },
      { type: "response.output_text.delta", delta: { delta: "deep" } },
      { delta: "without a type" },
    ),
  },
);

/** Ways of writing an event as data other than `JSON.stringify`; some of them are not valid. */
const oddWritings: readonly ((event: object) => string)[] = [
  (event) => JSON.stringify(event, null, 1).replaceAll("\n", " "),
  (event) => JSON.stringify(event).replace("{", '{"delta":"first",'),
  (event) => JSON.stringify(event).replace(/}$/, ',"delta":"last"}'),
  (event) => JSON.stringify(event).replace(/"msg_/, '"\\u006dsg_'),
  (event) => JSON.stringify(event).replace(/"sequence_number":/, '"sequence_number":0'),
  (event) => JSON.stringify(event).replace(/"sequence_number":\d+/, '"sequence_number":'),
  (event) => JSON.stringify(event).slice(0, -1),
  (event) => JSON.stringify(event).slice(0, -2),
  (event) => JSON.stringify({ ...event, delta: "a@b" }).replace("@", "\t"),
  (event) => JSON.stringify({ ...event, delta: "a@b" }).replace("@", "\\x"),
  (event) => JSON.stringify({ ...event, delta: "a@b" }).replace("@", "\\ud83d"),
  (event) => JSON.stringify({ ...event, delta: "a@" }).replace("@", "\\"),
  (event) => JSON.stringify({ ...event, obfuscation: "a@b" }).replace("@", "\t"),
  (event) => JSON.stringify({ ...event, obfuscation: "a@b" }).replace("@", "\\q"),
];

const started = `event: response.created\ndata: {"type":"response.created","response":{"id":"r"}}\n\n`;

/** Streams of the Responses API. */
export const responsesShapes: StreamShapes = {
  begins: [started, started, started, ""],
  ...{ name, plain, thought, other, oddWritings },
  frame: (data) => `event: ${name}\ndata: ${data}\n\n`,
};
