import { answer } from "./answer.ts";
import { type FaultExpectation, type FaultShape, faultDeltas, writes } from "./fault-shape.ts";
import type { Script, Step } from "./script.ts";
import { streamHead } from "./stream-script.ts";

const wholeText = faultDeltas.join("");
const earlyHints = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";
const raw = (writeRaw: string): Step => ({ writeRaw });

function unusual(name: string, code: string, note: string, script: Script): FaultShape {
  const expect: FaultExpectation = { outcome: "error", code, retriesAllowed: false, note };
  return { name, moments: ["before"], script: () => script, text: () => "", expect };
}

function tolerated(name: string, note: string, script: () => Script): FaultShape {
  const expect: FaultExpectation = {
    outcome: "completed",
    finishReason: "stop",
    retriesAllowed: false,
    note,
  };
  return { name, moments: ["before"], script, text: () => wholeText, expect };
}

const wholeAnswer = (): Step[] => [streamHead(), ...writes(answer({ deltas: faultDeltas }))];

/** Heads of answers, and ends of bodies, that HTTP barely allows and that no model's answer has. */
export const unusualHeads: readonly FaultShape[] = [
  unusual("http-101-upgrade", "upstream_invalid", "a switch to another protocol, and bytes of that", [
    raw("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"),
    raw("\u0001\u0005hello"),
    { hang: true },
  ]),
  unusual("http-101-in-one-packet", "upstream_invalid", "the same with its first bytes in one packet", [
    raw("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello"),
    { hang: true },
  ]),
  unusual("http-101-bare", "upstream_invalid", "a switch that names no protocol", [
    raw("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    { hang: true },
  ]),
  unusual("http-100-alone", "upstream_timeout", "100 Continue, and nothing more", [
    raw("HTTP/1.1 100 Continue\r\n\r\n"),
    { hang: true },
  ]),
  unusual("http-1xx-flood", "upstream_timeout", "103 Early Hints without end", [
    raw(earlyHints),
    { repeat: [raw(earlyHints)] },
  ]),
  unusual("http-0-9", "upstream_invalid", "a body without a head", [raw("data: {}\n\n"), { hang: true }]),
  unusual("head-without-end", "upstream_invalid", "headers without end, up to the limit of Node", [
    raw("HTTP/1.1 200 OK\r\n"),
    { repeat: [raw(`x-more: ${"a".repeat(1_000)}\r\n`)] },
  ]),
  unusual("head-unfinished", "upstream_timeout", "a head that stops in the middle of a line", [
    raw("HTTP/1.1 200 OK\r\ncontent-ty"),
    { hang: true },
  ]),
  unusual("http-200-without-body", "upstream_timeout", "the head of a stream, and nothing more", [
    streamHead(),
    { hang: true },
  ]),
  unusual("http-204", "upstream_invalid", "a success without a body", [
    { head: { status: 204, framing: { lengthBytes: 0 } } },
  ]),
  tolerated("http-1xx-first", "100 Continue and 103 Early Hints before the answer", () => [
    raw("HTTP/1.1 100 Continue\r\n\r\n"),
    raw(earlyHints),
    ...wholeAnswer(),
  ]),
  tolerated("trailers", "trailers after the body", () => [
    ...wholeAnswer(),
    raw("0\r\nserver-timing: model;dur=12\r\n\r\n"),
    { fin: true },
  ]),
  tolerated("trailers-without-end", "trailers without end, after the whole answer", () => [
    ...wholeAnswer(),
    raw("0\r\n"),
    { repeat: [raw(`x-more: ${"a".repeat(1_000)}\r\n`)] },
  ]),
];
