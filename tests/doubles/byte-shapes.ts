import { gzipSync } from "node:zlib";
import { answer } from "./answer.ts";
import { type FaultShape, faultDeltas, writes } from "./fault-shape.ts";
import { type Bytes, type Script, splitAt, splitEvery, toBytes } from "./script.ts";
import { streamHead, streamScript } from "./stream-script.ts";

const wholeText = faultDeltas.join("");
const events = answer({ deltas: faultDeltas });
const stream = toBytes(events.join(""));

function byteShape(name: string, note: string, script: () => Script, text = wholeText): FaultShape {
  return {
    name,
    moments: ["before"],
    script,
    text: () => text,
    expect: { outcome: "completed", finishReason: "stop", retriesAllowed: false, note },
  };
}

/** The usual answer with each event's text changed. */
function rewritten(
  name: string,
  note: string,
  rewrite: (event: string, index: number) => string,
): FaultShape {
  return byteShape(name, note, () => streamScript(events.map(rewrite)));
}

/** The usual bytes, cut into other packets. */
function repacked(name: string, note: string, packets: (bytes: Uint8Array) => readonly Bytes[]): FaultShape {
  return byteShape(name, note, () => streamScript(packets(stream)));
}

/** Positions of the bytes that fulfil a condition. */
function positionsWhere(bytes: Uint8Array, condition: (byte: number, index: number) => boolean): number[] {
  return [...bytes.keys()].filter((index) => index > 0 && condition(bytes[index] ?? 0, index));
}

function isInsideCharacter(byte: number): boolean {
  return byte >= 0x80 && byte <= 0xbf;
}

const lineEnd = /\n/g;
const withCarriageReturns = toBytes(events.join("").replace(lineEnd, "\r\n"));
const carriageReturn = 0x0d;

/** One event with 1 MiB of text, including characters of several bytes. */
const largeDelta = "0123456789 äöü € 雨\n".repeat(40_000).slice(0, 1_048_576);

/** The same answer in other bytes or other packets. All of them are valid event streams. */
export const byteShapes: readonly FaultShape[] = [
  rewritten("crlf-line-ends", "lines end in CR LF", (event) => event.replace(lineEnd, "\r\n")),
  rewritten("cr-line-ends", "lines end in CR, as the event-stream format allows", (event) =>
    event.replace(lineEnd, "\r"),
  ),
  byteShape("crlf-cut", "CR and LF in different packets", () => {
    const behindCarriageReturn = positionsWhere(
      withCarriageReturns,
      (_byte, index) => withCarriageReturns[index - 1] === carriageReturn,
    );
    return streamScript(splitAt(withCarriageReturns, behindCarriageReturn));
  }),
  rewritten("id-and-retry-lines", "id: and retry: lines in each event", (event, index) => {
    return `id: ${index}\nretry: 3000\n${event}`;
  }),
  rewritten("data-lines-only", "no event: lines; the type stands in the data", (event) => {
    return event.slice(event.indexOf("\n") + 1);
  }),
  rewritten("no-space-after-colon", "the space behind the colon is optional", (event) => {
    return event.replace("event: ", "event:").replace("data: ", "data:");
  }),
  rewritten("data-over-two-lines", "JSON over two data lines, joined by a line feed", (event) => {
    return event.replace('data: {"type"', 'data: {\ndata: "type"');
  }),
  rewritten("byte-order-mark", "a byte order mark before the first event", (event, index) => {
    return index === 0 ? `\ufeff${event}` : event;
  }),
  repacked("one-byte-packets", "each byte in a packet of its own", (bytes) => splitEvery(bytes, 1)),
  repacked("characters-cut", "packets end inside each character of several bytes", (bytes) =>
    splitAt(bytes, positionsWhere(bytes, isInsideCharacter)),
  ),
  repacked("one-packet", "the whole answer in one packet", (bytes) => [bytes]),
  byteShape("chunk-lines-cut", "packets end inside the lines of the chunked framing", () => {
    const chunks = events.map((event) => {
      const content = toBytes(event);
      return Buffer.concat([toBytes(`${content.length.toString(16)}\r\n`), content, toBytes("\r\n")]);
    });
    return [streamHead(), ...splitEvery(Buffer.concat(chunks), 3).map((writeRaw) => ({ writeRaw }))];
  }),
  byteShape("until-close", "a body without a length, ended by the end of the connection", () => {
    return streamScript(events, { framing: "until-close" });
  }),
  byteShape("gzip", "content-encoding: gzip, in small packets", () => [
    streamHead({ headers: { "content-encoding": "gzip" } }),
    ...writes(splitEvery(gzipSync(stream), 37)),
  ]),
  byteShape(
    "large-event",
    "1 MiB in one event",
    () => streamScript(answer({ deltas: [largeDelta] }).flatMap((event) => splitEvery(event, 65_536))),
    largeDelta,
  ),
];
