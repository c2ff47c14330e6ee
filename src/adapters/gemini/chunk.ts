import { isObject, type JsonObject, objectsIn } from "../../ports/json.ts";
import type { FinishReason, Usage } from "../../ports/provider.ts";
import { toldUsage } from "../upstream/answer-machine.ts";

/** The reading of one chunk (`GenerateContentResponse`). Any of its fields may be missing. */

/** The one answer of a chunk. Chunks with only usage or only a verdict on the prompt have none. */
export function candidateIn({ candidates }: JsonObject): JsonObject | undefined {
  return objectsIn(candidates).find(({ index }) => (index ?? 0) === 0);
}

export function partsIn({ content }: JsonObject): JsonObject[] {
  return isObject(content) ? objectsIn(content.parts) : [];
}

/** A part that is only text, of the answer or of a summary of its reasoning. A signature marks neither. */
export function isPlainText(part: JsonObject): boolean {
  return (
    typeof part.text === "string" && Object.keys(part).every((name) => name === "text" || name === "thought")
  );
}

/** Whether the prompt was refused. Such an answer has status 200 and no candidate. */
export function isBlocked({ promptFeedback }: JsonObject): boolean {
  return isObject(promptFeedback) && typeof promptFeedback.blockReason === "string";
}

/** Whether data reports a failure, as an error object or as a list of them. */
export function isFailure(told: unknown): boolean {
  if (Array.isArray(told)) return told.some(isFailure);
  return isObject(told) && Boolean(told.error);
}

const filtered =
  /^(?:SAFETY|RECITATION|LANGUAGE|BLOCKLIST|PROHIBITED_CONTENT|SPII|MODEL_ARMOR|JAILBREAK|IMAGE_.*)$/;

/** With these names Gemini ends an answer that failed. */
export const failedReasons: ReadonlySet<string> = new Set([
  "MALFORMED_FUNCTION_CALL",
  "UNEXPECTED_TOOL_CALL",
  "TOO_MANY_TOOL_CALLS",
  "MALFORMED_RESPONSE",
  "MISSING_THOUGHT_SIGNATURE",
  "OTHER",
]);

/** The vendor's finish reason, if a candidate has one. */
export function reasonIn({ finishReason }: JsonObject): string | undefined {
  const isOne = typeof finishReason === "string" && !["", "FINISH_REASON_UNSPECIFIED"].includes(finishReason);
  return isOne ? finishReason : undefined;
}

/** Our finish reason. Gemini says `STOP` after calls, too. */
export function finishReasonOf(told: string, hasCalls: boolean): FinishReason {
  if (told === "MAX_TOKENS") return "length";
  if (filtered.test(told)) return "content_filter";
  return hasCalls ? "tool_calls" : "stop";
}

const countNames = [
  "promptTokenCount",
  "toolUsePromptTokenCount",
  "cachedContentTokenCount",
  "candidatesTokenCount",
  "thoughtsTokenCount",
  "totalTokenCount",
] as const;

/** Fields whose figures grow while an answer is streamed. */
export const growingCounts = countNames.map((name) => `usageMetadata.${name}`);

/** The usage of an answer. Each chunk tells the sum so far, but some chunks leave figures out: the last figure counts. */
export class RunningUsage {
  readonly #counts = new Map<(typeof countNames)[number], number>();

  note({ usageMetadata }: JsonObject): void {
    if (!isObject(usageMetadata)) return;
    for (const name of countNames) {
      const count = usageMetadata[name];
      if (Number.isInteger(count) && Number(count) >= 0) this.#counts.set(name, Number(count));
    }
  }

  /** Text has come whose count was not read, so the figures of the answer are too small. */
  forgetOutput(): void {
    for (const name of ["candidatesTokenCount", "totalTokenCount"] as const) this.#counts.delete(name);
  }

  /** `undefined` if the vendor has not told both sides. */
  get usage(): Usage | undefined {
    const count = (name: (typeof countNames)[number]) => this.#counts.get(name);
    const prompt = count("promptTokenCount");
    const total = count("totalTokenCount");
    if (prompt === undefined) return undefined;
    const inputTokens = prompt + (count("toolUsePromptTokenCount") ?? 0);
    const written = count("candidatesTokenCount");
    if (written === undefined && total === undefined) return undefined;
    const outputTokens =
      written === undefined
        ? Math.max(0, (total ?? 0) - inputTokens)
        : written + (count("thoughtsTokenCount") ?? 0);
    return toldUsage({
      input: inputTokens,
      cached: count("cachedContentTokenCount"),
      output: outputTokens,
      reasoning: count("thoughtsTokenCount"),
    });
  }
}
