import { isObject } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";

/** Items of an answer that are no tool calls. */
const plainItems = new Set(["message", "reasoning", "compaction"]);

/** Reads tool calls from the events of a stream. */
export class ToolEvents {
  /** The calls' own ids by those of their items, if a call has one: its caller answers it under that. */
  #callIds: Map<string, string> | undefined;

  /** A tool call's item appeared or is done; messages and reasoning have events of their own. */
  item(item: unknown, fallbackStatus: string): ProviderEvent[] {
    if (!isObject(item) || typeof item.type !== "string" || plainItems.has(item.type)) return [];
    const status = typeof item.status === "string" ? item.status : fallbackStatus;
    const itemId = String(item.id ?? "");
    const callId = typeof item.call_id === "string" && item.call_id !== "" ? item.call_id : itemId;
    if (callId !== itemId) this.#callIds = (this.#callIds ?? new Map<string, string>()).set(itemId, callId);
    return [{ type: "tool", tool: toolName(item.type), status, callId, payload: item }];
  }

  /** `response.web_search_call.searching` and the like; their first and last states come with the items. */
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
