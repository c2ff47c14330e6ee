import type { StreamEvent } from "../upstream/event-stream-parser.ts";

/** Longer data is not a heartbeat and is not examined. */
const maxHeartbeatChars = 256;
const word = "(ping|pong|heartbeat|keep[-_ ]?alive)";
const named = new RegExp(`^${word}$`, "i");
/** `{"type":"keepalive","sequence_number":7}` and the like. */
const typed = new RegExp(`^\\s*\\{.*"type"\\s*:\\s*"${word}".*\\}\\s*$`, "is");
/**
 * Data without information: no data, empty JSON, a heartbeat's name as a bare word or as a JSON string, or a comment after `data:`. The
 * gateway mnfst/llm-gateway forwards OpenRouter's comments in that form.
 */
const empty = new RegExp(`^\\s*(|null|\\{\\s*\\}|\\[\\s*\\]|""|:.*|"?${word}"?)\\s*$`, "is");
/** A mark of a part of an answer, under any event name. */
const content = /"response\.|"error"/;

/** Whether an event only keeps its connection open. It does not show that the model is working, and it is not an error. */
export function isHeartbeat({ name, data }: StreamEvent): boolean {
  if (name === "error" || data.length > maxHeartbeatChars) return false;
  return empty.test(data) || ((named.test(name) || typed.test(data)) && !content.test(data));
}
