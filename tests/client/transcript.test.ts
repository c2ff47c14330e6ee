import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  createTranscript,
  failTranscript,
  foldMessage,
  followAgain,
  type RequestFailure,
  type Transcript,
} from "../../src/client/index.ts";
import type { ServerMessage, ServerMessages } from "../../src/protocol/server-messages.ts";
import { chatAnswer, chatResponse, refusal } from "./answers.ts";

const fold = (messages: readonly ServerMessage[], from: Transcript = createTranscript()) =>
  messages.reduce(foldMessage, from);
const at = (seq: number) => ({ request_id: "r", seq });

function personaResponse(
  personaId: string,
  seq: number,
  fields: Partial<ServerMessages["persona_response"]> = {},
): ServerMessages["persona_response"] {
  return {
    type: "persona_response",
    persona_id: personaId,
    response: `I am ${personaId}.`,
    index: 0,
    status: "completed",
    finish_reason: "stop",
    persona: { id: personaId, name: personaId.toUpperCase(), description: "" },
    model: "scripted",
    api: "openai",
    ...at(seq),
    ...fields,
  };
}

describe("a transcript", () => {
  it("grows with the chunks and ends with the response", () => {
    const answer = chatAnswer("r", 8);
    const half = fold(answer.slice(0, 5));
    assert.equal(half.status, "running");
    assert.equal(half.seq, 5);
    assert.deepEqual(
      half.lanes.map(({ personaId, text, status, statusMessage }) => ({
        personaId,
        text,
        status,
        statusMessage,
      })),
      [{ personaId: "ada", text: "part 0 part 1 ", status: "streaming", statusMessage: "Receiving..." }],
    );
    const whole = fold(answer.slice(5), half);
    assert.equal(whole.status, "completed");
    assert.equal(whole.requestId, "r");
    assert.equal(whole.lanes[0]?.text, "part 0 part 1 part 2 ");
    assert.equal(whole.lanes[0]?.name, "Ada");
    assert.equal(whole.usage?.total_tokens, 8);
    assert.equal(half.lanes[0]?.text, "part 0 part 1 ", "the earlier one stays as it was");
  });

  it("reserves lanes, in the order asked for", () => {
    const transcript = fold([{ type: "chunk", chunk: "x", is_final: false, persona_id: "eve", ...at(1) }], {
      ...createTranscript(["ada", "eve"]),
    });
    assert.deepEqual(
      transcript.lanes.map((lane) => [lane.personaId, lane.text, lane.status]),
      [
        ["ada", "", "waiting"],
        ["eve", "x", "waiting"],
      ],
    );
  });

  it("keeps reasoning and the newest state of each tool call beside the text", () => {
    const tool = (status: string, callId: string, seq: number): ServerMessage => {
      return { type: "tool", tool: "web_search", status, call_id: callId, ...at(seq) };
    };
    const { lanes } = fold([
      { type: "reasoning", text: "First ", ...at(1) },
      tool("searching", "one", 2),
      { type: "reasoning", text: "this.", ...at(3) },
      tool("searching", "two", 4),
      tool("completed", "one", 5),
    ]);
    assert.equal(lanes[0]?.reasoning, "First this.");
    assert.deepEqual(lanes[0]?.tools, [
      { callId: "one", tool: "web_search", status: "completed" },
      { callId: "two", tool: "web_search", status: "searching" },
    ]);
  });

  it("has the newest usage of a running lane, until its end tells all of it", () => {
    const usage = (output: number, estimated: boolean) => ({
      ...{ input_tokens: 5, output_tokens: output, total_tokens: 5 + output },
      estimated,
    });
    const status = (seq: number, told: object = {}): ServerMessage => ({
      ...{ type: "status", status: "streaming", message: "Receiving...", persona_id: "ada" },
      ...{ ...at(seq), ...told },
    });
    const running = fold([status(1), status(2, { usage: usage(7, true) }), status(3)]);
    assert.deepEqual(running.lanes[0]?.usage, usage(7, true));
    assert.equal(running.usage, undefined);
    const later = fold([status(4, { usage: usage(9, true) })], running);
    assert.deepEqual(later.lanes[0]?.usage, usage(9, true));
    const ended = fold([personaResponse("ada", 5, { usage: usage(12, false) })], later);
    assert.deepEqual(ended.lanes[0]?.usage, usage(12, false));
    const again = fold(
      [{ type: "reset", lanes: [{ persona_id: "ada", text: "" }], ...at(6) }, status(7)],
      ended,
    );
    assert.equal(again.lanes[0]?.usage, undefined);
  });

  it("keeps a failed lane apart from the request", () => {
    const error = {
      code: "upstream_stalled",
      message: "It went silent.",
      retryable: true,
      retry_after_ms: 5,
    } as const;
    const transcript = fold([
      personaResponse("ada", 1),
      personaResponse("eve", 2, { status: "failed", response: "I a", error }),
    ]);
    assert.equal(transcript.status, "running");
    assert.deepEqual(
      transcript.lanes.map((lane) => [lane.text, lane.status, lane.error?.code, lane.error?.retryAfterMs]),
      [
        ["I am ada.", "completed", undefined, undefined],
        ["I a", "failed", "upstream_stalled", 5],
      ],
    );
  });

  it("keeps a persona's speeches apart by their round and role, in messages, resets and answers", () => {
    const speech = (round: number, seq: number) =>
      ({
        type: "chunk",
        chunk: `Round ${round}.`,
        is_final: true,
        persona_id: "a",
        round,
        ...at(seq),
      }) as const;
    const judge = { ...speech(1, 3), role: "judge" } as const;
    const spoken = fold([speech(0, 1), speech(1, 2), judge]);
    const texts = ({ lanes }: Transcript) => lanes.map(({ round, role, text }) => [round, role, text]);
    assert.deepEqual(texts(spoken), [
      [0, undefined, "Round 0."],
      [1, undefined, "Round 1."],
      [1, "judge", "Round 1."],
    ]);
    const again = fold(
      [
        { type: "reset", lanes: [{ persona_id: "a", round: 1, text: "" }], ...at(4) },
        personaResponse("a", 5, { round: 0, response: "All of round 0." }),
      ],
      spoken,
    );
    assert.deepEqual(texts(again), [
      [0, undefined, "All of round 0."],
      [1, undefined, ""],
      [1, "judge", "Round 1."],
    ]);
  });

  it("takes all lanes from a `multi_chat` response", () => {
    const { type: _type, request_id: _id, seq: _seq, ...answer } = personaResponse("ada", 1);
    const transcript = fold([
      {
        ...chatResponse("r", 1, ""),
        request_type: "multi_chat",
        data: {
          responses: [answer, { ...answer, persona_id: "eve", status: "cancelled" }],
          combined: "",
          outcome: "degraded",
          conversation_id: "c",
          finish_reason: "stop",
          simulated: true,
        },
      },
    ]);
    assert.deepEqual(
      transcript.lanes.map((lane) => [lane.personaId, lane.status]),
      [
        ["ada", "completed"],
        ["eve", "cancelled"],
      ],
    );
    assert.equal(transcript.simulated, true);
  });

  it("reads text, model and usage out of a vendor's own response object", () => {
    const transcript = fold([
      {
        ...chatResponse("r", 1, ""),
        request_type: "openai_chat",
        data: {
          id: "resp_1",
          output_text: "Hello.",
          finish_reason: "stop",
          model: "gpt-4o-mini",
          usage: {
            input_tokens: 1,
            output_tokens: 2,
            total_tokens: 3,
            output_tokens_details: { reasoning_tokens: 0 },
          },
        },
      },
    ]);
    assert.equal(transcript.lanes[0]?.text, "Hello.");
    assert.equal(transcript.lanes[0]?.model, "gpt-4o-mini");
    assert.equal(transcript.usage?.total_tokens, 3);
  });

  it("restarts the lanes that a numbered reset names, and leaves the others", () => {
    const said = (persona_id: string, chunk: string, seq: number): ServerMessage => ({
      type: "chunk",
      chunk,
      is_final: false,
      persona_id,
      ...at(seq),
    });
    const transcript = fold([
      said("ada", "void ", 1),
      { type: "reasoning", text: "void", persona_id: "ada", ...at(2) },
      personaResponse("eve", 3),
      { type: "reset", lanes: [{ persona_id: "ada", text: "" }], ...at(4) },
      said("ada", "new", 5),
    ]);
    assert.deepEqual(
      transcript.lanes.map(({ personaId, text, reasoning, status }) => [personaId, text, reasoning, status]),
      [
        ["ada", "new", "", "waiting"],
        ["eve", "I am eve.", "", "completed"],
      ],
    );
    assert.equal(transcript.seq, 5);
  });

  it("drops the lanes' text at a reset", () => {
    const transcript = fold([
      ...chatAnswer("r", 8).slice(0, 5),
      { type: "reset", request_id: "r", through_seq: 6, lanes: [{ persona_id: "ada", text: "anew " }] },
      { type: "chunk", chunk: "on", is_final: true, persona_id: "ada", ...at(7) },
    ]);
    assert.equal(transcript.lanes[0]?.text, "anew on");
    assert.equal(transcript.seq, 7);
  });

  it("fails with its error and keeps the text; a refused cancel is only noted", () => {
    const noted = fold([
      ...chatAnswer("r", 8).slice(0, 5),
      refusal("persona_not_found", { type: "cancel", id: "r" }),
    ]);
    assert.deepEqual(
      [noted.status, noted.notice?.code, noted.error],
      ["running", "persona_not_found", undefined],
    );
    const failed = fold([{ ...refusal("upstream_error", { type: "chat" }), ...at(6) }], noted);
    assert.deepEqual([failed.status, failed.error?.code], ["failed", "upstream_error"]);
    assert.deepEqual([failed.lanes[0]?.status, failed.lanes[0]?.text], ["failed", "part 0 part 1 "]);
  });

  const failure = (code: RequestFailure["code"]) => ({ code, message: `${code}.`, retryable: true });
  for (const code of ["closed", "lost", "unauthenticated", "forbidden", "forbidden_origin"] as const) {
    it(`is not followed, and not failed, when this side says \`${code}\`; it goes on with its next message`, () => {
      const shown = fold(chatAnswer("r", 8).slice(0, 5));
      const left = failTranscript(shown, failure(code));
      assert.deepEqual([left.status, left.error?.code], ["unfollowed", code]);
      assert.deepEqual(left.lanes, shown.lanes);
      assert.deepEqual(followAgain(left), shown);
      assert.deepEqual(fold(chatAnswer("r", 8).slice(5), left), fold(chatAnswer("r", 8)));
    });
  }

  it("has failed when no connection was let in before its first message, and is cancelled if it was by this side", () => {
    const waiting = createTranscript(["ada"]);
    const refused = failTranscript(waiting, failure("forbidden_origin"));
    assert.deepEqual([refused.status, refused.lanes[0]?.status], ["failed", "failed"]);
    const cancelled = failTranscript(waiting, failure("cancelled"));
    assert.deepEqual([cancelled.status, cancelled.lanes[0]?.status], ["cancelled", "cancelled"]);
    assert.equal(followAgain(failTranscript(waiting, failure("closed"))).status, "waiting");
    assert.deepEqual(followAgain(refused), refused);
  });
});
