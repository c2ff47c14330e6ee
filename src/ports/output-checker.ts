import type { JsonObject } from "./json.ts";

/** Whether a text is JSON that fits a schema. `unknown`: that could not be found out. `fault` is a short sentence with the reason. */
export type OutputVerdict =
  | { readonly fits: true }
  | { readonly fits: false | "unknown"; readonly fault: string };

/**
 * Checks answers against the JSON Schemas that clients ask for.
 *
 * Contract:
 * - a schema comes from a client, so neither its size nor its patterns may block the process or another owner's checks for long;
 * - a schema refers to nothing outside of itself, and nothing is loaded;
 * - it always settles, in bounded time, and never rejects.
 */
export interface OutputChecker {
  /** Without a schema, any JSON object fits. */
  check(owner: string, text: string, schema: JsonObject | undefined): Promise<OutputVerdict>;
}
