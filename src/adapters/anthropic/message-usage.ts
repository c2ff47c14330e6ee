import { isObject } from "../../ports/json.ts";
import type { Usage } from "../../ports/provider.ts";
import { isCount, toldUsage } from "../upstream/answer-machine.ts";

const countNames = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
] as const;

/**
 * The tokens of one answer. The counts of later events are cumulative, so they replace earlier ones. Gateways send zeros or nothing at the
 * end; then the earlier counts stay.
 */
export class MessageUsage {
  readonly #counts = new Map<(typeof countNames)[number], number>();
  #thinking: unknown;
  /** The model that answered, if another one than the first was needed. */
  model: string | undefined;

  note(usage: unknown): void {
    if (!isObject(usage)) return;
    for (const name of countNames) {
      const value = usage[name];
      if (isCount(value) && (value > 0 || !this.#counts.has(name))) this.#counts.set(name, value);
    }
    if (isObject(usage.output_tokens_details)) this.#thinking = usage.output_tokens_details.thinking_tokens;
    const last = Array.isArray(usage.iterations) ? usage.iterations.at(-1) : undefined;
    if (isObject(last) && typeof last.model === "string" && last.model !== "") this.model = last.model;
  }

  /** Input is everything that was read, from the cache or not. `undefined` if the counts are not known. */
  get usage(): Usage | undefined {
    const outputTokens = this.#counts.get("output_tokens");
    const fresh = this.#counts.get("input_tokens");
    if (outputTokens === undefined || fresh === undefined) return undefined;
    const cached = this.#counts.get("cache_read_input_tokens");
    const cacheWrite = this.#counts.get("cache_creation_input_tokens");
    return toldUsage({
      input: fresh + (cached ?? 0) + (cacheWrite ?? 0),
      ...{ cached, cacheWrite },
      output: outputTokens,
      reasoning: this.#thinking,
    });
  }
}
