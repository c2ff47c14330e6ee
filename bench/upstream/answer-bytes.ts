import { stampToken } from "../time-stamp.ts";
import { type Api, apis } from "./api-events.ts";

/** The bytes before and after the deltas of every answer of one API. */
export interface AnswerBytes {
  readonly api: Api;
  /** The head of the HTTP response and the events before the first delta. */
  readonly opening: Buffer;
  /** The events after the last delta and the end of the HTTP body. */
  readonly closing: Buffer;
}

const httpHead = [
  "HTTP/1.1 200 OK",
  "content-type: text/event-stream; charset=utf-8",
  "cache-control: no-cache",
  "transfer-encoding: chunked",
  "connection: keep-alive",
  "\r\n",
].join("\r\n");

/** Composes the bytes once for all answers of `tokens` tokens (an endless answer never reaches its closing). */
export function composeAnswer(api: Api, tokens = 1): AnswerBytes {
  const { events } = apis[api];
  return {
    api,
    opening: Buffer.concat([Buffer.from(httpHead), httpChunk(events.opening())]),
    closing: Buffer.concat([httpChunk(events.closing(tokens)), Buffer.from("0\r\n\r\n")]),
  };
}

/** One packet of an answer: `count` deltas as the API writes them, each with one token that carries its sending time. */
export function composeDeltas(api: Api, nowMs: number, firstNumber: number, count: number): Buffer {
  const { events } = apis[api];
  const token = stampToken(nowMs);
  let text = "";
  for (let number = firstNumber; number < firstNumber + count; number += 1)
    text += events.delta(token, number);
  return httpChunk(text);
}

/** An empty chunk would end the body. */
function httpChunk(text: string): Buffer {
  return Buffer.from(text === "" ? "" : `${text.length.toString(16)}\r\n${text}\r\n`, "latin1");
}
