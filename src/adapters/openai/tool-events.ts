import { isObject } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";

/** Types of items that are not tool calls. */
const plainItems = new Set(["message", "reasoning", "compaction"]);

/** Reads tool calls from the events of a stream. */
export class ToolEvents {
  /** The call ids by item id, if they differ: a client answers a tool call by its call id. */
  #callIds: Map<string, string> | undefined;

  /** Events for a tool call's item that appeared or is done. Messages and reasoning have events of their own. */
  item(item: unknown, fallbackStatus: string): ProviderEvent[] {
    if (!isObject(item) || typeof item.type !== "string" || plainItems.has(item.type)) return [];
    const status = typeof item.status === "string" ? item.status : fallbackStatus;
    const itemId = String(item.id ?? "");
    const callId = typeof item.call_id === "string" && item.call_id !== "" ? item.call_id : itemId;
    if (callId !== itemId) this.#callIds = (this.#callIds ?? new Map<string, string>()).set(itemId, callId);
    return [{ type: "tool", tool: toolName(item.type), status, callId, payload: item }];
  }

  /** Events such as `response.web_search_call.searching`. A call's first and last states come with its item. */
  progress(type: string, item: unknown): ProviderEvent[] {
    const [, call, status] = /^response\.([a-z_]+_call)\.([a-z_]+)$/.exec(type) ?? [];
    if (call === undefined || status === undefined || status === "in_progress" || status === "completed")
      return [];
    const itemId = String(item ?? "");
    return [{ type: "tool", tool: toolName(call), status, callId: this.#callIds?.get(itemId) ?? itemId }];
  }
}

function toolName(itemType: string): string {
  return itemType.replace(/_call$/, "");
}
