import type { ServerMessage } from "../protocol/server-messages.ts";

/**
 * Decodes the server's text: the only function that does. Returns `undefined` for anything that is not a message.
 *
 * It checks only the fields that the client itself relies on (type, request id, number); the schemas of `troupe/protocol` check the rest.
 * So a browser need not load them, and a newer server's unknown message still counts in its request's order.
 */
export function readServerMessage(text: string): ServerMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isServerMessage(value) ? value : undefined;
}

function isServerMessage(value: unknown): value is ServerMessage {
  if (typeof value !== "object" || value === null) return false;
  const {
    type,
    request_id: requestId,
    seq,
  } = value as { type?: unknown; request_id?: unknown; seq?: unknown };
  if (typeof type !== "string") return false;
  if (requestId !== undefined && typeof requestId !== "string") return false;
  return seq === undefined || (Number.isSafeInteger(seq) && typeof requestId === "string");
}
