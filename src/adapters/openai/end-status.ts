import { isObject, type JsonObject } from "../../ports/json.ts";
import type { FinishReason } from "../../ports/provider.ts";

type EndStatus = "completed" | "incomplete" | "failed" | "cancelled";
/** The statuses with which a response ends. */
const endStatuses: ReadonlySet<unknown> = new Set<EndStatus>([
  "completed",
  "incomplete",
  "failed",
  "cancelled",
]);

/**
 * The status with which a response ended. Its own status decides. If that is missing or not final, an error in it decides, and then the
 * event's name.
 */
export function endStatus(type: string, response: unknown): EndStatus {
  const status = isObject(response) ? response.status : undefined;
  if (endStatuses.has(status)) return status as EndStatus;
  if (isObject(response) && response.error) return "failed";
  const named = type.replace("response.", "");
  return endStatuses.has(named) ? (named as EndStatus) : "completed";
}

/** Whether an event is a failure: by its name, or because it carries an error. No event of an answer carries one. */
export function isFailure(type: string, event: unknown): boolean {
  if (type === "error" || type === "response.error") return true;
  if (!isObject(event)) return false;
  if (event.error || event.object === "error") return true;
  return type === "" && (Array.isArray(event.errors) || typeof event.detail === "string");
}

export function finishReasonOf(response: JsonObject, status: EndStatus): FinishReason {
  const details = response.incomplete_details;
  if (status === "incomplete" || isObject(details)) {
    return isObject(details) && details.reason === "content_filter" ? "content_filter" : "length";
  }
  const output = Array.isArray(response.output) ? response.output : [];
  const asksForTool = output.some(
    (item) => isObject(item) && /^(function|custom_tool)_call$/.test(String(item.type)),
  );
  return asksForTool ? "tool_calls" : "stop";
}

/** Whether a body is a whole response, as a server sends it that does not stream. */
export function isWhole(body: unknown): body is JsonObject {
  return isObject(body) && Array.isArray(body.output) && endStatuses.has(body.status);
}
