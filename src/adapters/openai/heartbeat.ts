import type { StreamEvent } from "../upstream/event-stream-parser.ts";

/** Longer data is no heartbeat, and is not looked at. */
const maxHeartbeatChars = 256;
const word = "(ping|pong|heartbeat|keep[-_ ]?alive)";
const named = new RegExp(`^${word}$`, "i");
/** `{"type":"keepalive","sequence_number":7}` and the like. */
const typed = new RegExp(`^\\s*\\{.*"type"\\s*:\\s*"${word}".*\\}\\s*$`, "is");
/**
 * Data that says nothing: none at all, JSON that holds nothing, a heartbeat's name as a bare word or as JSON text, and a comment
 * that a gateway has put after `data:` (mnfst/llm-gateway does so with those of OpenRouter).
 */
const empty = new RegExp(`^\\s*(|null|\\{\\s*\\}|\\[\\s*\\]|""|:.*|"?${word}"?)\\s*$`, "is");
/** A part of an answer, whatever its event is called. */
const content = /"response\.|"error"/;

/** Whether an event only keeps its connection open: it is no sign that the model goes on, and breaks nothing. */
export function isHeartbeat({ name, data }: StreamEvent): boolean {
  if (name === "error" || data.length > maxHeartbeatChars) return false;
  return empty.test(data) || ((named.test(name) || typed.test(data)) && !content.test(data));
}
