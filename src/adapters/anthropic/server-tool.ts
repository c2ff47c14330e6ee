import { isObject, type JsonObject } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import { parseJson } from "../upstream/event-stream-parser.ts";

/** A tool that the vendor runs itself, such as web search, or one of an MCP server that the vendor calls. */
export class ServerTool {
  readonly type = "tool";
  readonly id: string;
  /** JSON as the model wrote it. */
  arguments: string;
  readonly #name: string;
  readonly #server: string | undefined;
  #status: "in_progress" | "completed" | "failed" | "incomplete" = "in_progress";

  constructor({ type, id, name, server_name: server }: JsonObject, args: string) {
    this.id = typeof id === "string" ? id : "";
    this.#name = typeof name === "string" ? name : "";
    this.#server = type === "mcp_tool_use" && typeof server === "string" ? server : undefined;
    this.arguments = args;
  }

  get isOpen(): boolean {
    return this.#status === "in_progress";
  }

  /** Ends it with its result: a list or an object, or an object that is an error. */
  endWith({ content, is_error: isError }: JsonObject): ProviderEvent {
    const hasFailed = isObject(content) && String(content.type).endsWith("_error");
    return this.end(isError === true || hasFailed ? "failed" : "completed");
  }

  end(status: "completed" | "failed" | "incomplete"): ProviderEvent {
    this.#status = status;
    return this.event();
  }

  event(): ProviderEvent {
    const tool = this.#server === undefined ? this.#name : "mcp";
    return { type: "tool", tool, status: this.#status, callId: this.id, payload: this.item() };
  }

  /** As an item of the Responses API, which has a form of its own for web search and for MCP. */
  item(): JsonObject {
    const head = { id: this.id, status: this.#status };
    const args = this.arguments === "" ? "{}" : this.arguments;
    if (this.#server !== undefined)
      return { type: "mcp_call", ...head, server_label: this.#server, name: this.#name, arguments: args };
    if (this.#name !== "web_search") return { type: `${this.#name}_call`, ...head, arguments: args };
    const input = parseJson(args);
    const query = isObject(input) && typeof input.query === "string" ? input.query : "";
    return { type: "web_search_call", ...head, action: { type: "search", query } };
  }
}
