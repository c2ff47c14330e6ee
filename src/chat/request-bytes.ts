import { charsOf, type StoredMessage } from "../ports/conversation-store.ts";
import { attachmentsOf, type Item, textsOfItems } from "../ports/item.ts";
import type { TurnRequest } from "../ports/turn-request.ts";

/** Memory of a request, and of each of its lanes, without texts: turn, log, call, connection to the provider (measured, rounded). */
const requestBytes = 32 * 1024;
const laneBytes = 32 * 1024;
/** A body being sent exists as text, once more after its request's head, and as bytes on their way to the socket. */
const bodyCopies = 3;
/** Most memory of a parsed JSON value is not text: its object, its slot, its key. */
const valueBytes = 64;

/** The memory that a running request holds, estimated. */
export interface RequestBytes {
  readonly total: number;
  /** The part that each lane gives back once its call has been sent. */
  readonly bodyOfLane: number;
}

/**
 * Estimates the memory of a request: its texts once, and for each lane its context and the body of its call. `path` is the conversation
 * before the question, as far as a persona gets it. It is left out for a request that only waits.
 */
export function bytesOfRequest(request: TurnRequest, path: readonly StoredMessage[] = []): RequestBytes {
  const { input, functions } = request;
  const lanes = request.kind === "responses" ? 1 : request.personaIds.length;
  const described = [
    ...(request.kind === "responses" ? [request.options, request.tools] : []),
    ...(functions === undefined ? [] : [functions]),
  ];
  const parameters = described.length === 0 ? 0 : bytesOfJson(described);
  const texts = textsOfItems(input);
  const bytesPerChar = [...texts, ...path.map((message) => message.text)].some(isWide) ? 2 : 1;
  const itemChars = path.reduce((sum, message) => sum + charsOf(message) - message.text.length, 0);
  const pathBytes = bytesPerChar * (itemChars + path.reduce((sum, { text }) => sum + text.length, 0));
  const contextBytes =
    bytesPerChar * (itemChars + path.reduce((sum, { text }) => sum + quotedChars(text), 0));
  const textBytes = bytesPerChar * texts.reduce((sum, text) => sum + text.length, 0) + bytesOfMore(input);
  const bodyOfLane = bodyCopies * (textBytes + contextBytes + parameters);
  const total =
    requestBytes + textBytes + pathBytes + parameters + lanes * (laneBytes + contextBytes + bodyOfLane);
  return { total, bodyOfLane };
}

/** Memory of items beside their texts. */
function bytesOfMore(input: readonly Item[]): number {
  const states = input.flatMap(({ providerState }) => providerState ?? []);
  const data = attachmentsOf(input).reduce((sum, part) => sum + ("data" in part ? part.data.length : 0), 0);
  return (input.length - 1) * 2 * valueBytes + data + (states.length === 0 ? 0 : bytesOfJson(states));
}

/** V8 stores a text as one byte a character if all of them are Latin-1. */
function isWide(text: string): boolean {
  return /[\u0100-\uffff]/.test(text);
}

/** Others' words are quoted line by line. */
function quotedChars(text: string): number {
  let lines = 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines += 1;
  return text.length + 2 * lines;
}

/** The value is decoded, so it is no deeper than a message may be. */
function bytesOfJson(value: unknown): number {
  if (typeof value === "string") return valueBytes + 2 * value.length;
  if (typeof value !== "object" || value === null) return valueBytes / 4;
  let bytes = valueBytes;
  for (const [key, part] of Object.entries(value))
    bytes += bytesOfJson(part) + (Array.isArray(value) ? 0 : 2 * key.length);
  return bytes;
}
