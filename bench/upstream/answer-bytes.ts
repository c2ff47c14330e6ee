import { answerParts } from "../../tests/doubles/answer.ts";
import { eventTexts } from "../../tests/doubles/event-text.ts";
import { stampToken, tokenBytes } from "../time-stamp.ts";

/** The bytes before and after the deltas of every answer. */
export interface AnswerBytes {
  /** The head of the HTTP response and the events before the first delta. */
  readonly opening: Buffer;
  /** The events after the last delta and the end of the HTTP body. */
  readonly closing: Buffer;
}

/** Has the form of the API's item ids. */
const itemId = `msg_${"0123456789abcdef".repeat(3)}00`;
const paddings = ["k2VbQx9TzLw0", "Zp7cN1", "aHd83mRtyU", "Wq5", "eLs0Gv2JpX4b"];

const httpHead = [
  "HTTP/1.1 200 OK",
  "content-type: text/event-stream; charset=utf-8",
  "cache-control: no-cache",
  "transfer-encoding: chunked",
  "connection: keep-alive",
  "\r\n",
].join("\r\n");

/**
 * Composes the bytes once for all answers of `tokens` tokens (an endless answer never reaches its closing). The text of
 * the closing events is as long as the streamed one but holds no token, so a reader that counts tokens counts each once.
 */
export function composeAnswer(tokens = 1): AnswerBytes {
  const text = ".".repeat(tokens * tokenBytes);
  const parts = answerParts({
    finalText: text,
    deltas: [],
    usage: { inputTokens: 10, outputTokens: tokens },
  });
  const prologue = eventTexts(parts.prologue);
  const ending = eventTexts([...parts.epilogue, parts.terminal], prologue.length + tokens);
  return {
    opening: Buffer.concat([Buffer.from(httpHead), httpChunk(prologue.join(""))]),
    closing: Buffer.concat([httpChunk(ending.join("")), Buffer.from("0\r\n\r\n")]),
  };
}

/** One packet of an answer: `count` deltas as the API writes them, each with one token that carries its sending time. */
export function composeDeltas(nowMs: number, firstNumber: number, count: number): Buffer {
  const token = stampToken(nowMs);
  let text = "";
  for (let number = firstNumber; number < firstNumber + count; number += 1) {
    text += `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":${number},"item_id":"${itemId}","output_index":0,"content_index":0,"delta":"${token}","logprobs":[],"obfuscation":"${paddings[number % paddings.length]}"}\n\n`;
  }
  return httpChunk(text);
}

function httpChunk(text: string): Buffer {
  return Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`, "latin1");
}
