import fc from "fast-check";

/** A text as models write it, with characters that JSON has to escape and characters of several bytes. */
export const anyDelta = fc.oneof(
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

type Frame = (data: string) => string;

/** Unusual ways of framing data. */
const anyOddFrame = fc.constantFrom<((data: string, plainFrame: Frame, name: string) => string)[]>(
  (data) => `data: ${data}\n\n`,
  (data) => `data:${data}\n\n`,
  (data) => `id: 7\nevent: x\ndata: ${data}\n\n`,
  (data, plainFrame) => `: ping\n\n${plainFrame(data)}`,
  (data, plainFrame) => `data:\n\nevent: ping\ndata: {}\n\n${plainFrame(data)}`,
  (data, plainFrame) => `event: error\n${plainFrame(data)}`,
  (data) => `event: error\ndata: ${data}\n\n`,
  (data, plainFrame) => plainFrame(data).replaceAll("\n", "\r\n"),
  (data, plainFrame) => plainFrame(data).replaceAll("\n", "\r"),
  (data, plainFrame) => `\n\n${plainFrame(data)}`,
  (data, _plainFrame, name) => `event: ${name}\ndata: ${data.slice(0, 9)}\ndata: ${data.slice(9)}\n\n`,
  (data, plainFrame, name) => `data: {"type":"${name}",\n${plainFrame(data)}`,
  (data, plainFrame) => plainFrame(data).slice(0, -1),
);

/** The streams of one format. */
export interface StreamShapes {
  /** The bytes before the first delta, in one of several forms. */
  readonly begins: readonly string[];
  /** The type of a delta's event, and its usual framing. */
  readonly name: string;
  readonly frame: Frame;
  /** The event that a model sends most often, and the one that it sends while it reasons. */
  readonly plain: fc.Arbitrary<object>;
  readonly thought: fc.Arbitrary<object>;
  /** Events that only look like these. */
  readonly other: fc.Arbitrary<object>;
  /** Ways of writing a plain event as data other than `JSON.stringify`; some of them are not valid. */
  readonly oddWritings: readonly ((event: object) => string)[];
}

/** The bytes of an event stream, cut at any offset, and more often at a line end. */
export function anyStreamOf(shapes: StreamShapes): fc.Arbitrary<Uint8Array[]> {
  const { frame, plain, thought, other, name } = shapes;
  const framed = (event: object) => frame(JSON.stringify(event));
  const oddWriting = fc.constantFrom(...shapes.oddWritings);
  const anyEvent = fc.oneof(
    { weight: 30, arbitrary: plain.map(framed) },
    { weight: 10, arbitrary: thought.map(framed) },
    { weight: 1, arbitrary: other.map(framed) },
    {
      // Several in a row: a template that was made of the first one is tried on the others.
      weight: 2,
      arbitrary: fc
        .tuple(fc.array(plain, { minLength: 1, maxLength: 4 }), oddWriting)
        .map(([events, write]) => events.map((event) => frame(write(event))).join("")),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(plain, anyOddFrame)
        .map(([event, oddFrame]) => oddFrame(JSON.stringify(event), frame, name)),
    },
  );
  return fc
    .record({
      begins: fc.constantFrom(...shapes.begins),
      events: fc.array(anyEvent, { minLength: 1, maxLength: 30, size: "max" }),
      cuts: fc.array(fc.nat({ max: 6_000 }), { maxLength: 5 }),
      lineCuts: fc.array(fc.nat({ max: 100 }), { maxLength: 8 }),
    })
    .map(({ begins, events, cuts, lineCuts }) => {
      const bytes = Buffer.from(begins + events.join(""));
      const lineEnds: number[] = [];
      for (const [at, byte] of bytes.entries()) if (byte === 10 || byte === 13) lineEnds.push(at);
      const atLineEnds = lineCuts.map((cut) => (lineEnds[cut % Math.max(1, lineEnds.length)] ?? 0) + 1);
      return [...new Set([...cuts.map((cut) => cut % bytes.length), ...atLineEnds, bytes.length])]
        .sort((a, b) => a - b)
        .map((end, index, ends) => bytes.subarray(ends[index - 1] ?? 0, end));
    });
}
