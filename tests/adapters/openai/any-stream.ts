import fc from "fast-check";

/** A text as models write it, with characters that JSON has to escape and characters of several bytes. */
const anyDelta = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      " word",
      "a",
      "",
      "\n",
      '"',
      "\\",
      "雨",
      "👩‍🚀",
      "\u2028",
      "{",
      '"}\n\n',
      "data: ",
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
);

const fields = {
  type: fc.constant("response.output_text.delta"),
  sequence_number: fc.oneof(fc.nat(), fc.constant(-1), fc.constant(1.5), fc.constant(1e21)),
  item_id: fc.constantFrom("msg_1", "msg_1", "msg_2"),
  output_index: fc.constant(0),
  content_index: fc.constantFrom(0, 0, 1),
  delta: anyDelta,
  logprobs: fc.constantFrom<unknown[][]>([], [], [{ token: "a", delta: "b" }]),
  obfuscation: fc.constantFrom("x7", "", "Yh2kP", '"'),
};

/** The event that a model sends most often. Such events differ only in text, number and padding. */
const anyPlainEvent = fc
  .record({
    sequence_number: fc.nat({ max: 2_000 }),
    delta: anyDelta,
    obfuscation: fc.constantFrom("x7", "", "Yh2kP"),
  })
  .map(({ sequence_number, delta, obfuscation }) => ({
    type: "response.output_text.delta",
    sequence_number,
    item_id: "msg_1",
    output_index: 0,
    content_index: 0,
    delta,
    logprobs: [],
    obfuscation,
  }));

/** The same event for reasoning. */
const anyPlainThought = fc
  .record({ sequence_number: fc.nat({ max: 2_000 }), delta: anyDelta })
  .map(({ sequence_number, delta }) => ({
    type: "response.reasoning_summary_text.delta",
    ...{ sequence_number, item_id: "rs_1", output_index: 0, summary_index: 0, delta },
  }));

/** An event that only looks like these. */
const anyOtherEvent = fc.oneof(
  { weight: 3, arbitrary: fc.record(fields) },
  { weight: 2, arbitrary: fc.record(fields, { requiredKeys: ["type"] }) },
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
const anyOddWriting = fc.constantFrom<((event: object) => string)[]>(
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
);

const plainFrame = (data: string) => `event: response.output_text.delta\ndata: ${data}\n\n`;

/** Unusual ways of framing data. */
const anyOddFrame = fc.constantFrom<((data: string) => string)[]>(
  (data) => `data: ${data}\n\n`,
  (data) => `data:${data}\n\n`,
  (data) => `id: 7\nevent: x\ndata: ${data}\n\n`,
  (data) => `: ping\n\n${plainFrame(data)}`,
  (data) => `data:\n\nevent: ping\ndata: {}\n\n${plainFrame(data)}`,
  (data) => `event: error\n${plainFrame(data)}`,
  (data) => `event: error\ndata: ${data}\n\n`,
  (data) => plainFrame(data).replaceAll("\n", "\r\n"),
  (data) => plainFrame(data).replaceAll("\n", "\r"),
  (data) => `\n\n${plainFrame(data)}`,
  (data) => `event: response.output_text.delta\ndata: ${data.slice(0, 9)}\ndata: ${data.slice(9)}\n\n`,
  (data) => `data: {"type":"response.output_text.delta",\n${plainFrame(data)}`,
  (data) => plainFrame(data).slice(0, -1),
);

const anyEvent = fc.oneof(
  { weight: 30, arbitrary: anyPlainEvent.map((event) => plainFrame(JSON.stringify(event))) },
  { weight: 10, arbitrary: anyPlainThought.map((event) => plainFrame(JSON.stringify(event))) },
  { weight: 1, arbitrary: anyOtherEvent.map((event) => plainFrame(JSON.stringify(event))) },
  {
    weight: 1,
    arbitrary: fc.tuple(anyPlainEvent, anyOddWriting).map(([event, write]) => plainFrame(write(event))),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(anyPlainEvent, anyOddFrame).map(([event, frame]) => frame(JSON.stringify(event))),
  },
);

const started = `event: response.created\ndata: {"type":"response.created","response":{"id":"r"}}\n\n`;

/** The bytes of an event stream, cut at any offset, and more often at a line end. */
export const anyStream = fc
  .record({
    begins: fc.constantFrom(started, started, started, ""),
    events: fc.array(anyEvent, { minLength: 1, maxLength: 30, size: "max" }),
    cuts: fc.array(fc.nat({ max: 6_000 }), { maxLength: 5 }),
    lineCuts: fc.array(fc.nat({ max: 100 }), { maxLength: 8 }),
  })
  .map(({ begins, events, cuts, lineCuts }) => {
    const bytes = Buffer.from(begins + events.join(""));
    const lineEnds = [...bytes.keys()].filter((at) => bytes[at] === 10 || bytes[at] === 13);
    const atLineEnds = lineCuts.map((cut) => (lineEnds[cut % Math.max(1, lineEnds.length)] ?? 0) + 1);
    return [...new Set([...cuts.map((cut) => cut % bytes.length), ...atLineEnds, bytes.length])]
      .sort((a, b) => a - b)
      .map((end, index, ends) => bytes.subarray(ends[index - 1] ?? 0, end));
  });
