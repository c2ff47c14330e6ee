import { isObject, type JsonObject, jsonChars } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import { partChars } from "./gemini-calls.ts";

/** Max searches of an answer. Each is told with all sources, and a vendor may send any number of them. */
const maxSearches = 64;

/**
 * The work of Google's own tools, as items of the Responses API's output, which every client of `tool` messages knows: code that ran,
 * images that were made, and searches.
 */
export class HostedTools {
  readonly items: JsonObject[] = [];
  #code: JsonObject | undefined;
  /** Characters of the items, against a bound. */
  chars = 0;

  /** Accepts a part of the answer. Returns an event if the part is the work of a tool. */
  accept({ executableCode, codeExecutionResult, inlineData }: JsonObject): ProviderEvent[] {
    if (isObject(executableCode)) return this.#runs(executableCode);
    if (isObject(codeExecutionResult)) return this.#ran(codeExecutionResult);
    return isObject(inlineData) ? this.#made(inlineData) : [];
  }

  /** Notes the searches of the answer, with all sources that they found. */
  search({ webSearchQueries: queries }: JsonObject, urls: readonly string[]): ProviderEvent[] {
    const words = Array.isArray(queries) ? queries.filter((query) => typeof query === "string") : [];
    return words.slice(0, maxSearches).flatMap((query) =>
      this.#tell("web_search", {
        type: "web_search_call",
        ...{ id: `ws_${this.items.length}`, status: "completed" },
        action: { type: "search", query, sources: urls.map((url) => ({ type: "url", url })) },
      }),
    );
  }

  #runs({ code }: JsonObject): ProviderEvent[] {
    const call = { type: "code_interpreter_call", id: `ci_${this.items.length}`, status: "in_progress" };
    this.#code = { ...call, code: code ?? "", outputs: null };
    return this.#tell("code_interpreter", this.#code);
  }

  #ran({ outcome, output }: JsonObject): ProviderEvent[] {
    const call = this.#code;
    if (call === undefined) return [];
    this.#code = undefined;
    const status = outcome === "OUTCOME_OK" ? "completed" : "failed";
    const logs = typeof output === "string" ? output : "";
    this.items.splice(this.items.indexOf(call), 1);
    return this.#tell("code_interpreter", { ...call, status, outputs: [{ type: "logs", logs }] });
  }

  #made({ data }: JsonObject): ProviderEvent[] {
    if (typeof data !== "string") return [];
    const call = { type: "image_generation_call", id: `ig_${this.items.length}`, status: "completed" };
    return this.#tell("image_generation", { ...call, result: data });
  }

  #tell(tool: string, item: JsonObject): ProviderEvent[] {
    this.items.push(item);
    this.chars += jsonChars(item) + partChars;
    const { id, status } = item;
    return [{ type: "tool", tool, status: String(status), callId: String(id), payload: item }];
  }
}
