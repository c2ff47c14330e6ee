import { attachmentsOf, type Item, textsOfItems } from "../ports/item.ts";
import { jsonChars } from "../ports/json.ts";
import type { ModelPrice } from "../ports/prices.ts";
import type { Cost, ProviderEvent, ProviderRequest, Usage } from "../ports/provider.ts";
import { type ErrorCode, TroupeError } from "../protocol/errors.ts";

/** English text averages about four characters a token (OpenAI's own rule of thumb for its tokenizers). */
const bytesPerToken = 4;

/**
 * The probable number of tokens of a text with this many bytes. UTF-8 bytes rather than characters, because scripts whose letters take
 * more bytes also take more tokens.
 */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / bytesPerToken);
}

/** A picture of medium size at OpenAI and Anthropic, in tokens. A file behind an address counts as much, because its size is unknown. */
const attachmentTokens = 1_000;

/** The probable number of tokens of items. */
export function estimateItems(items: readonly Item[]): number {
  return estimateTexts(textsOfItems(items)) + estimateAttachments(items);
}

/** The probable input tokens of a call: everything in it that a model reads. */
export function estimateInput({
  instructions = "",
  input,
  note = "",
  tools = [],
  functions = [],
  options = {},
}: ProviderRequest): number {
  const parameters = [...tools, ...functions, ...Object.values(options)].map(
    (value) => JSON.stringify(value) ?? "",
  );
  return (
    estimateTexts([instructions, note, ...textsOfItems(input), ...parameters]) + estimateAttachments(input)
  );
}

function estimateTexts(texts: readonly string[]): number {
  return estimateTokens(texts.reduce((sum, text) => sum + utf8Bytes(text), 0));
}

function estimateAttachments(items: readonly Item[]): number {
  return attachmentsOf(items).reduce((tokens, part) => {
    const bytes = part.type === "file" && "data" in part ? Math.ceil((part.data.length * 3) / 4) : 0;
    return tokens + Math.max(attachmentTokens, estimateTokens(bytes));
  }, 0);
}

/** The sum of several calls; estimated if one of them is. */
export function sumUsage(usages: readonly (Usage | undefined)[]): Usage | undefined {
  const known = usages.filter((usage) => usage !== undefined);
  if (known.length === 0) return undefined;
  return known.reduce((sum, usage) => {
    const cost = sumCost(sum, usage);
    return {
      inputTokens: sum.inputTokens + usage.inputTokens,
      outputTokens: sum.outputTokens + usage.outputTokens,
      totalTokens: sum.totalTokens + usage.totalTokens,
      estimated: sum.estimated || usage.estimated,
      ...sumPart("cachedTokens", sum, usage),
      ...sumPart("cacheWriteTokens", sum, usage),
      ...sumPart("reasoningTokens", sum, usage),
      ...(cost === undefined ? {} : { cost }),
    };
  });
}

type Part = "cachedTokens" | "cacheWriteTokens" | "reasoningTokens";

/** A part that neither tells stays untold. */
function sumPart(part: Part, { [part]: one }: Usage, { [part]: other }: Usage): Partial<Usage> {
  return one === undefined && other === undefined ? {} : { [part]: (one ?? 0) + (other ?? 0) };
}

/** No tokens cost nothing, whether their price is known or not. */
function sumCost(one: Usage, other: Usage): Cost | null | undefined {
  if (one.totalTokens === 0) return other.cost;
  if (other.totalTokens === 0) return one.cost;
  const known = one.cost ?? other.cost;
  if (known == null) return known;
  if (one.cost == null || other.cost == null) return { ...known, partial: true };
  const partial = one.cost.partial ?? other.cost.partial;
  return {
    usd: one.cost.usd + other.cost.usd,
    approximate: one.cost.approximate || other.cost.approximate,
    ...(partial === undefined ? {} : { partial }),
  };
}

/** The cost of tokens; `undefined` without a price. `hasMore`: the call has a part that is not in its tokens. */
export function costOf(price: ModelPrice | undefined, usage: Usage, hasMore: boolean): Cost | undefined {
  if (price === undefined) return undefined;
  return { usd: price.costOf(usage), approximate: price.approximate || hasMore };
}

/** Tiers whose tokens have the model's usual price. */
const usualTiers: ReadonlySet<unknown> = new Set([undefined, null, "auto", "default", "standard"]);
/** Tools that the client runs itself cost only tokens. */
const ownTools: ReadonlySet<unknown> = new Set(["function", "custom"]);

/** Whether a call may cost more or less than its tokens by the model's price. */
export function hasUnpricedPart({ tools = [], options = {} }: ProviderRequest): boolean {
  return tools.some(({ type }) => !ownTools.has(type)) || !usualTiers.has(options.service_tier);
}

/** For shorter texts a loop is faster than Node's native call; for longer ones it is up to thirty times as slow, 5 ms for 1 MB. */
const longTextChars = 256;

/**
 * The length of a piece of text in UTF-8. Half a surrogate pair at either end counts two bytes, so that the pieces of a text add up to
 * the whole.
 */
export function utf8Bytes(text: string): number {
  if (text.length >= longTextChars) return Buffer.byteLength(text) - halvesAtEnds(text);
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x80) continue;
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

/** An unpaired half takes three bytes when it is encoded. */
function halvesAtEnds(text: string): number {
  const startsWithLow = (text.charCodeAt(0) & 0xfc00) === 0xdc00;
  const endsWithHigh = (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800;
  return Number(startsWithLow) + Number(endsWithHigh);
}

/** Codes of calls that were refused before a model read them. No vendor charges for these. */
const refusedUnread: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "upstream_auth",
  "upstream_invalid_request",
  "model_not_found",
  "context_length_exceeded",
  "previous_response_not_found",
  "rate_limited",
  "quota_exceeded",
  "upstream_unreachable",
]);

/**
 * Whether a failed call certainly costs nothing: its provider says so, or its code does. A call whose connection broke, or that a gateway
 * gave up, may still have been read.
 */
export function isUnread(thrown: unknown): boolean {
  return thrown instanceof TroupeError && (thrown.isUnread ?? refusedUnread.has(thrown.code));
}

/** Whether a call was not made because no budget could pay it. */
export function isUnpaid({ code }: TroupeError): boolean {
  return code === "budget_exhausted" || code === "larger_than_day_budget";
}

/** Maximum size of an answer, as a multiple of its maximum text: a response object repeats that, and there are tools and reasoning. */
const allOfText = 4;

/** Counts the characters that a provider makes the server keep, and lets only the allowed ones through. */
export class AnswerSize {
  readonly #maxTextChars: number;
  #textChars: number;
  #allChars: number;

  /** `begunChars`: text that another process has already shown. */
  constructor(maxTextChars: number, begunChars: number) {
    this.#maxTextChars = maxTextChars;
    this.#textChars = begunChars;
    this.#allChars = begunChars;
  }

  /** The part of a batch that fits; the batch itself if all of it does. */
  fitting(batch: ProviderEvent[]): ProviderEvent[] {
    let index = 0;
    for (const event of batch) {
      const chars = keptChars(event);
      const allRoom = allOfText * this.#maxTextChars - this.#allChars;
      const room = event.type === "text" ? Math.min(allRoom, this.#maxTextChars - this.#textChars) : allRoom;
      if (chars > room) return [...batch.slice(0, index), ...beginningOf(event, room)];
      this.#allChars += chars;
      if (event.type === "text") this.#textChars += chars;
      index += 1;
    }
    return batch;
  }
}

/** Characters of an event that are logged, or held until the answer ends. */
export function keptChars(event: ProviderEvent): number {
  switch (event.type) {
    case "text":
    case "reasoning":
      return event.text.length;
    case "tool":
      return event.payload === undefined ? 0 : jsonChars(event.payload);
    case "started":
    case "end":
      return event.response === undefined ? 0 : jsonChars(event.response);
    default:
      return 0;
  }
}

/** The start of a text, never cut inside a surrogate pair. Other events are of no use in part. */
function beginningOf(event: ProviderEvent, chars: number): ProviderEvent[] {
  if (event.type !== "text" || chars <= 0) return [];
  const text = event.text.slice(0, chars);
  const last = text.charCodeAt(text.length - 1);
  const isHalf = last >= 0xd800 && last <= 0xdbff;
  return [{ type: "text", text: isHalf ? text.slice(0, -1) : text }];
}
