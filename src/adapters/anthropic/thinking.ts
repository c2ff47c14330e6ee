import type { Effort, Thinking } from "./messages-api.ts";

/** How a model thinks: as much as it likes, within a budget that the request sets, or not at all. */
type ThinkingForm = "adaptive" | "budget" | "none";

const usualMaxTokens = 8_192;
/** Thinking counts against the limit too. */
const thinkingMaxTokens = 16_384;
/** The models before Claude 3.5 refuse a higher limit. */
const earlyMaxTokens = 4_096;
const minBudgetTokens = 1_024;

/** The part of the limit that an older model may think with. */
const budgetShares: Readonly<Record<Effort, number>> = {
  low: 0.2,
  medium: 0.5,
  high: 0.75,
  xhigh: 0.8,
  max: 0.9,
};
const efforts: ReadonlyMap<unknown, Effort> = new Map<string, Effort>([
  ["minimal", "low"],
  ["low", "low"],
  ["medium", "medium"],
  ["high", "high"],
  ["xhigh", "xhigh"],
  ["max", "max"],
]);

/** Whether it is a word for the effort, or no effort at all. */
export function isEffort(effort: unknown): boolean {
  return effort == null || effort === "none" || efforts.has(effort);
}

/** Reads the names of models up to Claude 4.5; every other model is taken for a newer one. */
function thinkingFormOf(model: string): ThinkingForm {
  if (/claude-(?:[12]\b|instant|3(?![.-]7))/.test(model)) return "none";
  if (/claude-3[.-]7/.test(model)) return "budget";
  const [fourth, minor = "0"] = /claude-(?:opus|sonnet|haiku)-4(?:[.-](\d{1,2})(?!\d))?/.exec(model) ?? [];
  return fourth !== undefined && Number(minor) <= 5 ? "budget" : "adaptive";
}

/** The limit of an answer without one; the API requires a limit. */
function defaultMaxTokens(model: string, thinks: boolean): number {
  if (/claude-(?:[12]\b|instant|3-(?:opus|sonnet|haiku))/.test(model)) return earlyMaxTokens;
  return thinks ? thinkingMaxTokens : usualMaxTokens;
}

interface ThinkingWish {
  readonly model: string;
  /** In the words of the Responses API. */
  readonly effort: unknown;
  readonly wantsSummary: boolean;
  readonly maxTokens: number | undefined;
  /** False if the API would refuse thinking in this place of the conversation. */
  readonly canThink: (form: ThinkingForm) => boolean;
}

interface ThinkingParams {
  readonly max_tokens: number;
  readonly thinking?: Thinking;
  readonly effort?: Effort;
}

/** The parameters for thinking, and the limit of the answer. A model that cannot think as asked answers without. */
export function thinkingParams({
  model,
  effort,
  wantsSummary,
  maxTokens,
  canThink,
}: ThinkingWish): ThinkingParams {
  const form = thinkingFormOf(model);
  const asked = efforts.get(effort);
  const thinks =
    form !== "none" && effort !== "none" && (asked !== undefined || wantsSummary) && canThink(form);
  const max_tokens = maxTokens ?? defaultMaxTokens(model, thinks);
  if (effort === "none" && form === "adaptive") return { max_tokens, thinking: { type: "disabled" } };
  if (!thinks) return { max_tokens };
  if (form === "budget") {
    const budget = Math.max(minBudgetTokens, Math.floor(max_tokens * budgetShares[asked ?? "low"]));
    // The API refuses a budget that leaves nothing for the answer.
    return budget < max_tokens
      ? { max_tokens, thinking: { type: "enabled", budget_tokens: budget } }
      : { max_tokens };
  }
  const display = wantsSummary ? { display: "summarized" as const } : {};
  return {
    max_tokens,
    thinking: { type: "adaptive", ...display },
    ...(asked === undefined ? {} : { effort: asked }),
  };
}
