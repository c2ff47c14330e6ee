import { isObject, type JsonObject, objectsIn } from "../../ports/json.ts";
import type { FinishReason, Usage } from "../../ports/provider.ts";
import { isCount, toldUsage } from "../upstream/answer-machine.ts";
import type { DeltaKind } from "../upstream/event-format.ts";

/** The reading of one chunk of Chat Completions, in the forms of all known servers. */

/** A text of a delta, and whether its field is one that the path scan can read. */
export interface DeltaText {
  readonly kind: DeltaKind;
  readonly text: string;
  readonly isPlain: boolean;
  readonly isRefusal?: boolean;
}

/** The one answer of a chunk. Servers and gateways send chunks without any: usage, filters, padding. */
export function choiceIn({ choices }: JsonObject): JsonObject | undefined {
  return objectsIn(choices).find(({ index }) => (index ?? 0) === 0);
}

/** Whether data reports a failure, as an error object or text, as an event that is one, or as a list of them. */
export function isFailure(told: unknown): boolean {
  if (Array.isArray(told)) return isFailure(told[0]);
  if (!isObject(told)) return false;
  if (told.error || told.object === "error") return true;
  if (isObject(told.x_groq) && told.x_groq.error) return true;
  if (told.choices !== undefined || told.object !== undefined) return false;
  return Array.isArray(told.errors) || [told.detail, told.message].some((word) => typeof word === "string");
}

/** The failure itself; Groq puts it into an object of its own. */
export function failureIn(told: unknown): unknown {
  return isObject(told) && !told.error && isObject(told.x_groq) ? told.x_groq : told;
}

/** Reasoning has a name of each server's own. A delta that has it under several names repeats it. */
export function textsIn({ content, refusal, ...delta }: JsonObject): DeltaText[] {
  const [thought] = [delta.reasoning_content, delta.reasoning].filter(isText);
  const texts: DeltaText[] = [];
  if (thought !== undefined) texts.push({ kind: "reasoning", text: thought, isPlain: true });
  else texts.push(...detailsIn(delta.reasoning_details));
  if (isText(content)) texts.push({ kind: "text", text: content, isPlain: true });
  else texts.push(...partsIn(content));
  if (isText(refusal)) texts.push({ kind: "text", text: refusal, isPlain: false, isRefusal: true });
  return texts;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** OpenRouter's list of pieces of reasoning. */
function detailsIn(details: unknown): DeltaText[] {
  return objectsIn(details).flatMap(({ text, summary }) => plainOf("reasoning", text ?? summary));
}

/** Mistral's content in parts: texts, and reasoning with parts of its own. */
function partsIn(parts: unknown): DeltaText[] {
  return objectsIn(parts).flatMap(({ text, thinking }) => [
    ...(isText(thinking) ? plainOf("reasoning", thinking) : []),
    ...objectsIn(thinking).flatMap((part) => plainOf("reasoning", part.text)),
    ...plainOf("text", text),
  ]);
}

function plainOf(kind: DeltaKind, text: unknown): DeltaText[] {
  return isText(text) ? [{ kind, text, isPlain: false }] : [];
}

/** The names of an end for another reason than that the answer is complete. A finish reason without a row is an ordinary end. */
const finishReasons: ReadonlyMap<string, FinishReason> = new Map<string, FinishReason>([
  ["length", "length"],
  ["model_length", "length"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["content_filter", "content_filter"],
  ["sensitive", "content_filter"],
]);

/** With these names a server ends an answer that failed (Mistral, OpenRouter; DeepSeek). */
export const failedReasons: ReadonlySet<unknown> = new Set(["error", "insufficient_system_resource"]);

/** Our finish reason. Some servers say `stop` after tool calls. */
export function finishReasonOf(told: string, hasCalls: boolean, hasRefusal: boolean): FinishReason {
  const reason = finishReasons.get(told);
  if (reason !== undefined) return reason;
  if (hasRefusal) return "content_filter";
  return hasCalls ? "tool_calls" : "stop";
}

/** The usage that a chunk tells: beside its choices, in Groq's own object, or in the choice (Moonshot). */
export function usageIn(chunk: JsonObject, tellsCost: boolean): Usage | undefined {
  const choice = choiceIn(chunk);
  const places = [chunk.usage, isObject(chunk.x_groq) ? chunk.x_groq.usage : undefined, choice?.usage];
  const told = places.find(isObject);
  const usage = usageOf(told);
  const usd = usage === undefined ? undefined : costIn(told, tellsCost);
  return usage === undefined || usd === undefined ? usage : { ...usage, cost: { usd, approximate: false } };
}

/** xAI tells its cost in ticks, of which a dollar has ten thousand million. */
const ticksOfDollar = 1e10;

/** The cost of an answer, in US dollars, that the vendor itself tells. Elsewhere `cost` may be in any unit, or 0 for an unknown price. */
function costIn({ cost, cost_in_usd_ticks: ticks }: JsonObject = {}, tellsCost: boolean): number | undefined {
  if (isCount(ticks)) return ticks / ticksOfDollar;
  return tellsCost && typeof cost === "number" && cost >= 0 ? cost : undefined;
}

function usageOf(usage: JsonObject | undefined): Usage | undefined {
  const { prompt_tokens: input, completion_tokens: completion, total_tokens: total } = usage ?? {};
  if (usage === undefined || !isCount(input) || !isCount(completion)) return undefined;
  const read = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
  const written = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : {};
  return toldUsage({
    input,
    cached: read.cached_tokens ?? usage.prompt_cache_hit_tokens ?? usage.num_cached_tokens,
    cacheWrite: read.cache_write_tokens,
    // xAI counts reasoning in the total alone.
    output: isCount(total) ? Math.max(completion, total - input) : completion,
    reasoning: written.reasoning_tokens,
  });
}
