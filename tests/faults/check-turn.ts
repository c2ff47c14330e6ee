import assert from "node:assert/strict";
import { createPartReader } from "../../src/client/part-reader.ts";
import { errorTable } from "../../src/protocol/errors.ts";
import {
  type ServerMessage,
  type ServerMessages,
  serverMessage,
} from "../../src/protocol/server-messages.ts";
import { isTerminal, textOf } from "../support/wire-client.ts";
import type { ExpectedLane } from "./fault-cell.ts";

type Failure = Pick<ServerMessages["error"], "code" | "message" | "retryable" | "retry_after_ms">;
type PersonaResponse = Pick<
  ServerMessages["persona_response"],
  "persona_id" | "index" | "status" | "response" | "finish_reason" | "error"
>;
type CombinedData = Extract<ServerMessages["response"]["data"], { readonly outcome: string }>;

/**
 * Compares all messages of one request with the expected results of its lanes; `isMulti` marks a `multi_chat`. Returns
 * for each lane how many retries it announced.
 */
export function checkTurn(
  received: readonly ServerMessage[],
  lanes: readonly ExpectedLane[],
  isMulti: boolean,
): number[] {
  for (const message of received) serverMessage.parse(message);
  const parts = createPartReader();
  const messages = received.map((message) => parts.read(message)).filter((message) => message !== undefined);
  assert.deepEqual(
    messages.map((message) => ("seq" in message ? message.seq : undefined)),
    messages.map((_, index) => index + 1),
    "seq is contiguous from 1",
  );
  assert.equal(new Set(messages.map((message) => "request_id" in message && message.request_id)).size, 1);
  assert.equal(messages.filter(isTerminal).length, 1, "exactly one terminal message");
  const terminal = messages.at(-1);
  assert.ok(terminal !== undefined && isTerminal(terminal), "the terminal message is the last");
  const retries = lanes.map((lane) => checkLane(messages, lane));
  if (isMulti) checkMultiEnd(messages, terminal, lanes);
  else checkSingleEnd(terminal, lanes[0]);
  return retries;
}

function checkLane(messages: readonly ServerMessage[], lane: ExpectedLane): number {
  const own = messages.filter((message) => "persona_id" in message && message.persona_id === lane.personaId);
  const ofLane = lane.personaId === undefined ? messages : own;
  assert.equal(textOf(ofLane), lane.text, "the text was shown exactly and once");
  const chunks = ofLane.filter((message) => message.type === "chunk");
  assert.equal(chunks.filter((chunk) => chunk.is_final).length, 1, "is_final exactly once");
  assert.equal(chunks.at(-1)?.is_final, true, "the last chunk is final");
  assert.ok(chunks.every((chunk) => chunk.persona_id === lane.personaId));

  const statuses = ofLane.filter((message) => message.type === "status");
  const retries = statuses.filter((message) => message.detail !== undefined);
  assert.ok(retries.every((message) => message.status === "processing"));
  assert.deepEqual(
    retries.map((message) => message.detail?.retry),
    retries.map((_, index) => index + 1),
  );
  assert.deepEqual(
    statuses.map((message) => message.status),
    [
      "starting",
      "processing",
      ...retries.map(() => "processing"),
      ...(lane.text === "" ? [] : ["streaming"]),
      ...(lane.code === undefined ? ["completed"] : []),
    ],
  );
  const firstTextAt = chunks[0]?.seq ?? 0;
  assert.ok(
    retries.every(({ seq }) => seq < firstTextAt),
    "no retry after the first text",
  );
  return retries.length;
}

function checkSingleEnd(terminal: ServerMessage, lane: ExpectedLane | undefined): void {
  assert.ok(lane !== undefined);
  if (lane.code !== undefined) {
    assert.ok(terminal.type === "error", "ends in an error");
    checkError(terminal, lane);
    return;
  }
  assert.ok(terminal.type === "response", "ends in a response");
  assert.equal(terminal.status, "completed");
  assert.equal(terminal.finish_reason, lane.finishReason);
  assert.equal(terminal.data.finish_reason, lane.finishReason);
  const shown = "response" in terminal.data ? terminal.data.response : undefined;
  const text = "output_text" in terminal.data ? terminal.data.output_text : shown;
  assert.equal(text, lane.text, "the response holds what was shown");
}

function checkMultiEnd(
  messages: readonly ServerMessage[],
  terminal: ServerMessage,
  lanes: readonly ExpectedLane[],
): void {
  const ended = messages.filter((message) => message.type === "persona_response");
  assert.equal(ended.length, lanes.length, "one persona_response a lane");
  for (const [index, lane] of lanes.entries()) {
    const answer = ended.find((message) => message.persona_id === lane.personaId);
    checkPersonaResponse(answer, lane, index);
  }
  if (lanes.every((lane) => lane.code !== undefined)) {
    assert.ok(terminal.type === "error", "ends in an error");
    assert.equal(terminal.code, "all_personas_failed");
    const mayWorkLater = ended.some((message) => message.error?.retryable === true);
    assert.equal(terminal.retryable, mayWorkLater);
    return;
  }
  assert.ok(terminal.type === "response" && "responses" in terminal.data, "ends in a combined response");
  const { responses, combined, outcome } = terminal.data as CombinedData;
  assert.equal(terminal.status, "completed");
  assert.equal(outcome, lanes.some((lane) => lane.code !== undefined) ? "degraded" : "complete");
  assert.equal(responses.length, lanes.length);
  for (const [index, lane] of lanes.entries()) {
    const answer = responses[index];
    checkPersonaResponse(answer, lane, index);
    assert.equal(answer?.message_id !== undefined, lane.text !== "", "what was said is stored");
    assert.ok(combined.includes(lane.text));
  }
}

function checkPersonaResponse(answer: PersonaResponse | undefined, lane: ExpectedLane, index: number): void {
  assert.ok(answer !== undefined, `${lane.personaId} has an answer`);
  assert.equal(answer.persona_id, lane.personaId);
  assert.equal(answer.index, index);
  assert.equal(answer.response, lane.text);
  assert.equal(answer.status, lane.code === undefined ? "completed" : "failed");
  assert.equal(answer.finish_reason, lane.finishReason);
  if (lane.code === undefined) assert.equal(answer.error, undefined);
  else checkError(answer.error, lane);
}

function checkError(error: Failure | undefined, lane: ExpectedLane): void {
  assert.ok(error !== undefined);
  assert.equal(error.code, lane.code);
  assert.ok(
    error.message.startsWith(errorTable[error.code].message),
    "the client reads the table's sentence",
  );
  assert.equal(error.retryable, errorTable[error.code].retryable);
  assert.equal(error.retry_after_ms, lane.retryAfterMs);
}
