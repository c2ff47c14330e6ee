import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EventStreamParser } from "../../../src/adapters/upstream/event-stream-parser.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

const runs = { seed: 20_261_122, numRuns: 500 } as const;
function parserOf(maxEventChars = 1_000_000) {
  const parser = new EventStreamParser({ maxEventChars });
  return (piece: string) => parser.push(piece).map(({ data }) => data);
}

function parseAll(pieces: readonly string[], maxEventChars?: number): string[] {
  const push = parserOf(maxEventChars);
  return pieces.flatMap((piece) => push(piece));
}

/** The specification's own algorithm (WHATWG HTML, 9.2.6), line by line over the whole text. */
function dataByTheBook(text: string): string[] {
  const lines = text.split(/\r\n|\r|\n/);
  const events: string[] = [];
  let data: string[] = [];
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (data.length > 0) events.push(data.join("\n"));
      data = [];
      continue;
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "data") data.push(value ?? "");
  }
  return events;
}

const anyLine = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => `data: ${text}`) },
  { weight: 4, arbitrary: fc.constant("") },
  fc.constantFrom(
    "data",
    "data:",
    "data:  two spaces",
    "data:none",
    'data: {"a":"b:c"}',
    "data: naïve 雨 😀\u2028\u0085",
    "data : x",
    "Data: x",
    "dataset: x",
    " data: x",
    "event: response.created",
    "id: 7",
    "retry: 3000",
    ": a comment",
    ":",
    "nonsense",
  ),
);
const anyStream = fc
  .array(fc.tuple(anyLine, fc.constantFrom("\n", "\r", "\r\n")), { maxLength: 30 })
  .map((lines) => lines.map(([line, lineEnd]) => line.replace(/[\r\n]/g, "") + lineEnd).join(""));

describe("the event stream parser", () => {
  it("reads the same events from the same bytes, however they are cut", () => {
    fc.assert(
      fc.property(anyStream, fc.array(fc.nat({ max: 3_000 }), { maxLength: 30 }), (text, cuts) => {
        const bytes = Buffer.from(text);
        // The same offset may be cut twice, because a piece may be empty.
        const at = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
        const push = parserOf();
        const decoder = new TextDecoder();
        const events = [...at, bytes.length].flatMap((end, index) =>
          push(decoder.decode(bytes.subarray(at[index - 1] ?? 0, end), { stream: true })),
        );
        assert.deepEqual(events, dataByTheBook(text));
      }),
      runs,
    );
  });

  it("reads the same events one character at a time", () => {
    fc.assert(
      fc.property(anyStream, (text) => {
        assert.deepEqual(parseAll(text.split("")), dataByTheBook(text));
      }),
      runs,
    );
  });

  it("yields an event as soon as its empty line is complete, even one that ends in CR", () => {
    const push = parserOf();
    assert.deepEqual(push("data: a\r\n\r"), ["a"]);
    assert.deepEqual(push("\ndata: b\r\r"), ["b"]);
    assert.deepEqual(push("data: c\n\n"), ["c"]);
  });

  const cases = [
    { what: "a line feed", text: "data: a\n\n", data: ["a"] },
    { what: "CR LF", text: "data: a\r\n\r\n", data: ["a"] },
    { what: "CR", text: "data: a\r\r", data: ["a"] },
    { what: "mixed line ends", text: "data: a\rdata: b\ndata: c\r\n\n", data: ["a\nb\nc"] },
    { what: "data over several lines", text: "data: {\ndata: }\n\n", data: ["{\n}"] },
    { what: "data without a space", text: "data:a\n\n", data: ["a"] },
    { what: "data with two spaces", text: "data:  a\n\n", data: [" a"] },
    { what: "a field without a colon", text: "data\ndata: a\n\n", data: ["\na"] },
    { what: "empty data", text: "data:\n\n", data: [""] },
    { what: "comments and other fields", text: ": x\nid: 1\nevent: e\ndata: a\nretry: 1\n\n", data: ["a"] },
    { what: "events without data", text: "event: ping\n\n: keep-alive\n\n\n\n", data: [] },
    { what: "an event that is not ended", text: "data: a\n\ndata: b\n", data: ["a"] },
    {
      what: "Unicode line separators inside data",
      text: "data: a\u2028b\u0085c\n\n",
      data: ["a\u2028b\u0085c"],
    },
  ] as const;
  for (const { what, text, data } of cases) {
    it(`reads ${what}`, () => {
      assert.deepEqual(parseAll([text]), data);
    });
  }
});

describe("an event that is too large", () => {
  const isTooLarge = (pieces: readonly string[]) =>
    assert.throws(
      () => parseAll(pieces, 100),
      (error) => error instanceof TroupeError && error.code === "upstream_invalid" && !error.safeToRepeat,
    );

  it("is refused, be it one line or many, in one piece or many, or of lines that hold nothing", () => {
    isTooLarge([`data: ${"x".repeat(100)}`]);
    isTooLarge(Array.from({ length: 101 }, () => "x"));
    isTooLarge([`${"data: 123456789\n".repeat(12)}`]);
    isTooLarge(Array.from({ length: 12 }, () => "data: 123456789\n"));
    isTooLarge([`data: ${"x".repeat(60)}\n`, `data: ${"x".repeat(40)}`]);
    isTooLarge([`: ${"a comment ".repeat(12)}`]);
    isTooLarge(Array.from({ length: 200 }, () => "data:\n"));
    isTooLarge(Array.from({ length: 200 }, () => "data\n"));
  });

  it("does not count earlier events, whatever their size", () => {
    const event = `data: ${"x".repeat(80)}\n\n`;
    assert.equal(parseAll([event, event, event], 100).length, 3);
    assert.equal(parseAll([event.repeat(50)], 100).length, 50);
    assert.equal(parseAll([": a comment of no event\n".repeat(50), event], 100).length, 1);
  });
});
