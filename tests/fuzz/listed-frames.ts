import { wireLimits } from "../../src/protocol/limits.ts";
import { knownConversationId, knownRequestId, plainData } from "./field-frames.ts";
import { clientMessageTypes } from "./field-paths.ts";
import { binaryFrame, type Frame, textFrame } from "./frame.ts";

const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
const ping = (data: string, more = "") => `{"type":"ping"${more},"data":${data}}`;
const message = (type: string, data: object, id?: unknown) =>
  JSON.stringify({ type, ...(id === undefined ? {} : { id }), data });
const chat = (more: object) => message("chat", { ...plainData.chat, ...more });
const multiChat = (personaIds: unknown) =>
  message("multi_chat", { ...plainData.multi_chat, persona_ids: personaIds });
const members = (...named: readonly unknown[]) =>
  message("multi_chat", { ...plainData.multi_chat, members: named });
const withOptions = (options: object) => message("openai_chat", { input_text: "Why?", options });

const notMessages = [
  "",
  " ",
  "not JSON",
  "{",
  '{"type":"ping"',
  '{"type":"ping",}',
  "{'type':'ping'}",
  '{"type":"ping"}{"type":"ping"}',
  "null",
  "[]",
  '[{"type":"ping"}]',
  "42",
  "1e400",
  '"ping"',
  "true",
  "NaN",
  "undefined",
  '\ufeff{"type":"ping"}',
  '\u0000{"type":"ping"}',
  '{"type":"ping"}\u0000',
  '{"type":"pi\u0000ng"}',
  nested("[", "]", 10_000),
  "[".repeat(wireLimits.messageBytes),
  nested('{"a":', "}", 10_000).replace(":}", ":1}"),
];

const oddEnvelopes = [
  "{}",
  '{"data":{}}',
  '{"type":null}',
  '{"type":["ping"]}',
  '{"type":{"toString":"ping"}}',
  '{"type":"nonsense"}',
  '{"type":"toString"}',
  '{"type":"constructor"}',
  '{"type":"hasOwnProperty"}',
  '{"type":"__proto__"}',
  '{"type":"PING"}',
  '{"type":"ping "}',
  '{"type":"\u0440ing"}',
  String.raw`{"type":"\ud800"}`,
  String.raw`{"type":"ping","id":"\udc00"}`,
  String.raw`{"type":"\u0070ing"}`,
  `{"type":"${"x".repeat(10_000)}"}`,
  '{"type":"ping","type":"nonsense"}',
  '{"type":"nonsense","type":"ping"}',
  '{"__proto__":{"type":"ping"}}',
  '{"type":"chat","__proto__":{"data":{"message":"a","persona_id":"skeptic"}}}',
  '{"type":"ping","constructor":1,"toString":2,"hasOwnProperty":3}',
  ping(nested("[", "]", 10_000)),
  ping(`{"a":${nested("[", "]", 29)}}`),
  ping(`{"a":${nested("[", "]", 30)}}`),
  ping(`{"a":${nested("[", "]", 31)}}`),
  ping(nested('{"a":', "}", 10_000).replace(":}", ":1}")),
  ping('{"a":1e400,"b":-0,"c":9007199254740993}'),
  ping("{}", ',"id":9007199254740993'),
  ping("{}", ',"id":"bad\\nid"'),
  ping("{}", ',"id":""'),
  ping("{}", `,"id":"${"x".repeat(128)}"`),
  ping("{}", `,"id":"${"x".repeat(129)}"`),
  ...clientMessageTypes.flatMap((type) =>
    ["", ',"data":null', ',"data":[]', ',"data":"{}"', ',"data":7', ',"data":true'].map(
      (data) => `{"type":"${type}"${data}}`,
    ),
  ),
];

const oddRequests = [
  ...[-1, 3, 1e9].map((temperature) => chat({ temperature })),
  ...[0, -1, 1e12, 1.5].map((max_tokens) => chat({ max_tokens })),
  ...["http://169.254.169.254", "HTTP://x", "openai/../x", "file:"].map((api) => chat({ api })),
  ...["../../x", "/etc/passwd", "x\u0000", ""].map((model) => chat({ model })),
  chat({ persona_id: "nobody" }),
  chat({ persona_id: "Skeptic" }),
  chat({ persona_id: "constructor" }),
  chat({ conversation_id: "fuzz-nowhere" }),
  chat({ message: "x".repeat(wireLimits.textChars + 1) }),
  multiChat([]),
  multiChat(["skeptic", "skeptic"]),
  multiChat(Array.from({ length: 1_000 }, (_, index) => `p${index}`)),
  multiChat(Array.from({ length: wireLimits.personas + 1 }, () => "skeptic")),
  multiChat(["nobody"]),
  multiChat(["skeptic", "nobody"]),
  multiChat(["skeptic", null]),
  multiChat({ 0: "skeptic", length: 1 }),
  ...[[{}], [{ api: "nowhere" }], ["openai"], Array(wireLimits.fallbackLinks + 1).fill({})].map((fallback) =>
    chat({ fallback }),
  ),
  members(),
  members({ persona_id: "teacher", api: "nowhere", model: "m" }),
  members({ persona_id: "historian" }),
  members({ persona_id: "teacher" }, { persona_id: "teacher" }),
  members({ persona_id: "__proto__", api: "constructor" }),
  members({ api: "openai" }),
  members(["teacher", "openai"], null),
  members(...Array.from({ length: wireLimits.personas + 1 }, () => ({ persona_id: "teacher" }))),
  withOptions({ response_format: {}, text: { format: {} } }),
  withOptions({ response_format: {}, text: { format: null } }),
  withOptions({ response_format: null, text: { format: {} } }),
  withOptions({ unknown_option: 1 }),
  withOptions({ temprature: 1 }),
  withOptions({ metadata: { a: { b: 1 } } }),
  withOptions({ input: "something else", stream: false }),
  withOptions({ conversation: { id: "c", extra: 1 } }),
  `{"type":"openai_chat","data":{"input_text":"Why?","options":{"__proto__":{"store":true}}}}`,
  `{"type":"openai_chat","data":{"input_text":"Why?","options":{"metadata":{"__proto__":"x"},"max_output_tokens":3}}}`,
  message("openai_chat", { input_text: "Why?", tools: [{}, { type: 1 }] }),
  message("openai_chat", { input_text: "Why?", tools: [{ type: "shell" }] }),
  message("chat", { ...plainData.chat, message: "Other words." }, knownRequestId),
];

/** Ids that look like the existing one, or like another owner's. */
const nearIds = [
  knownRequestId.toUpperCase(),
  ` ${knownRequestId}`,
  `${knownRequestId}.`,
  knownRequestId.replace("-", "_"),
  knownRequestId.replace("-", "%2D"),
  knownRequestId.replace("-", "\u2011"),
  `anonymous:${knownRequestId}`,
  `anonymous\n${knownRequestId}`,
  "00000000-0000-4000-8000-000000000000",
  "x".repeat(129),
  "../fuzz-known",
];

const oddControls = [
  ...nearIds.flatMap((request_id) => [
    message("cancel", { request_id }),
    message("resume", { request_id, after_seq: 0 }),
    message("follow", { conversation_id: request_id }),
  ]),
  ...[-1, 0.5, 1e6, 2 ** 53, 1e308].map((after_seq) =>
    message("resume", { request_id: knownRequestId, after_seq }),
  ),
  message("resume", { request_id: knownRequestId, after_seq: 0 }),
  message("cancel", { request_id: knownRequestId }),
  message("cancel", { request_id: knownRequestId, persona_id: "teacher" }),
  message("follow", { conversation_id: knownConversationId }),
];

/** A correct `ping` with this number of bytes. */
function pingOf(bytes: number): string {
  const empty = ping('{"pad":""}');
  return empty.replace('""', `"${"x".repeat(bytes - empty.length)}"`);
}

const sizes = [wireLimits.messageBytes - 1, wireLimits.messageBytes, wireLimits.messageBytes + 1];

/**
 * Bytes that no UTF-8 decoder may accept (RFC 3629, section 3). They are inside a JSON string, so only the encoding is
 * wrong.
 */
const invalidUtf8 = [
  [0x80],
  [0xc0, 0x80],
  [0xc3],
  [0xe2, 0x82],
  [0xed, 0xa0, 0x80],
  [0xed, 0xb0, 0x80],
  [0xf0, 0x80, 0x80, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xff],
];

/** Frames that are tried by name; the generated frames vary them. */
export function listedFrames(): Frame[] {
  const texts = [...notMessages, ...oddEnvelopes, ...oddRequests, ...oddControls, ...sizes.map(pingOf)];
  const pieces = wireLimits.messageFragments;
  return [
    ...texts.map((text) => textFrame(text)),
    ...invalidUtf8.map((bytes) =>
      textFrame(Buffer.concat([Buffer.from('{"type":"'), Uint8Array.from(bytes), Buffer.from('"}')])),
    ),
    ...["", "{}", ping("{}"), pingOf(sizes[0] ?? 0)].map(binaryFrame),
    binaryFrame(Uint8Array.of(0, 255, 254)),
    ...[2, pieces - 1, pieces, pieces + 1].map((fragments) => textFrame(pingOf(1_000), fragments)),
  ];
}
