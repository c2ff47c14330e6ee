import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { type ClientFrame, type ScriptedConnection, startScriptedServer } from "../client/scripted-server.ts";
import { exchange, type FrameTarget } from "./exchange.ts";
import { textFrame } from "./frame.ts";

const refusal = {
  type: "error",
  status: "error",
  code: "unknown_type",
  message: "This message type is not known.",
  retryable: false,
  field: "type",
  in_reply_to: { type: "nonsense" },
} as const satisfies ServerMessage;

const place = (seq: number) => ({ request_id: "r", seq });
const status = { type: "status", status: "starting", message: "" } as const;
const chunk = { type: "chunk", chunk: "Hi.", is_final: true } as const;
const end = {
  type: "response",
  status: "completed",
  message: "",
  request_type: "openai_chat",
  finish_reason: "stop",
  data: { output_text: "Hi.", finish_reason: "stop" },
} as const;
const wholeAnswer: ServerMessage[] = [
  { ...status, ...place(1) },
  { ...chunk, ...place(2) },
  { ...end, ...place(3) },
];

const tooManyPieces = textFrame(`{"type":"ping","data":{"pad":"${"x".repeat(200)}"}}`, 129);

const targetAt = (url: string): FrameTarget => ({
  url,
  known: new Set<string>(),
  turns: () => 0,
  takeFaults: () => [],
  // A scripted server answers at once.
  patienceRoundTrips: 500,
});

const pong = ({ id }: ClientFrame): ServerMessage => ({ type: "pong", ...(id === undefined ? {} : { id }) });

interface Answers {
  readonly toNonsense: readonly ServerMessage[] | ((connection: ScriptedConnection) => void);
  readonly toAsk: readonly ServerMessage[];
}

/** Sends one frame that must be refused and one request to a server with these answers. The server answers every ping. */
async function exchangeWith({ toNonsense, toAsk }: Answers) {
  await using server = await startScriptedServer((frame, connection) => {
    if (frame.type === "ping") connection.send(pong(frame));
    else if (frame.type !== "nonsense") connection.send(...toAsk);
    else if (typeof toNonsense === "function") toNonsense(connection);
    else connection.send(...toNonsense);
  });
  const frames = ['{"type":"nonsense"}', '{"type":"openai_chat","id":"r","data":{"input_text":"Hello"}}'];
  return await exchange(
    frames.map((text) => textFrame(text)),
    targetAt(server.url),
  );
}

const right: Answers = { toNonsense: [refusal], toAsk: wholeAnswer };
const withExtraKey = { ...refusal, hint: "try again" };

/** Faults of a server, each with the message that the check must give. */
const faults: readonly (readonly [fault: string, answers: Partial<Answers>, complaint: RegExp])[] = [
  ["leaves a frame unanswered", { toNonsense: [] }, /frame 0, .* was answered with .*"fence"/],
  ["answers twice", { toNonsense: [refusal, refusal] }, /frame 2, none, was answered with/],
  ["sends a key that no message has", { toNonsense: [withExtraKey] }, /must NOT have additional properties/],
  ["gives another code", { toNonsense: [{ ...refusal, code: "invalid_json" }] }, /frame 0, .* was answered/],
  ["names another field", { toNonsense: [{ ...refusal, field: "id" }] }, /frame 0, .* was answered/],
  ["forgets what it answers", { toNonsense: [{ ...refusal, in_reply_to: {} }] }, /frame 0, .* was answered/],
  ["fails inside", { toNonsense: [{ ...refusal, code: "internal_error" }] }, /an internal error/],
  [
    "shows a stack",
    { toNonsense: [{ ...refusal, message: "TypeError\n    at read (decode.ts:1:2)" }] },
    /tells of the inside/,
  ],
  ["drops the connection", { toNonsense: (connection) => connection.drop() }, /closed with 1006/],
  ["closes the connection", { toNonsense: (connection) => connection.close(1011) }, /closed with 1011/],
  ["never ends a request", { toAsk: wholeAnswer.slice(0, 2) }, /never came: the end of r/],
  ["never begins a request", { toAsk: [] }, /never came: an answer to .*openai_chat/],
  ["leaves a number out", { toAsk: wholeAnswer.toSpliced(1, 1) }, /a gap: .*"seq":3/],
  ["repeats a number", { toAsk: wholeAnswer.toSpliced(1, 0, { ...chunk, ...place(2) }) }, /a gap: .*"seq":2/],
  ["goes on after the end", { toAsk: [...wholeAnswer, { ...chunk, ...place(4) }] }, /after the end: /],
  [
    "goes on after the final chunk",
    {
      toAsk: [
        { ...chunk, ...place(1) },
        { ...chunk, ...place(2) },
      ],
    },
    /after the final chunk/,
  ],
  [
    "loses a piece of the text",
    { toAsk: wholeAnswer.with(1, { ...chunk, chunk: "H", ...place(2) }) },
    /the chunks of r are not its answer/,
  ],
  [
    "answers another request",
    { toAsk: [...wholeAnswer, { ...status, request_id: "x", seq: 1 }] },
    /end of x/,
  ],
];

describe("the check of an exchange", () => {
  it("is content with a server that does everything right", async () => {
    assert.deepEqual(await exchangeWith(right), { refused: 1, closed: 0, accepted: 1 });
  });

  for (const [fault, answers, complaint] of faults) {
    it(`finds a server that ${fault}`, async () => {
      await assert.rejects(exchangeWith({ ...right, ...answers }), complaint);
    });
  }

  it("finds a server that accepts a frame that must end the connection", async () => {
    await using server = await startScriptedServer((_, connection) => connection.close(1000));
    await assert.rejects(exchange([tooManyPieces], targetAt(server.url)), /closed with 1000, not 1008/);
  });

  it("finds a server that stays open after a frame that must end the connection", async () => {
    await using server = await startScriptedServer((frame, connection) => connection.send(pong(frame)));
    await assert.rejects(exchange([tooManyPieces], targetAt(server.url)), /closed with undefined, not 1008/);
  });

  it("finds a server that reports a fault of its own", async () => {
    await using server = await startScriptedServer((frame, connection) => connection.send(pong(frame)));
    const target = { ...targetAt(server.url), takeFaults: () => ["TypeError: oops"] };
    await assert.rejects(exchange([], target), /inside the server: TypeError: oops/);
  });
});
