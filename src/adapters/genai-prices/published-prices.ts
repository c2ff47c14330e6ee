import type { ModelPrice as ListedPrice, MatchLogic, ModelInfo, Provider } from "@pydantic/genai-prices";
import type { Clock } from "../../ports/clock.ts";
import type { ModelPrice, PriceCatalog, TokenPrice } from "../../ports/prices.ts";
import type { Usage } from "../../ports/provider.ts";

/** The vendors whose prices the package has, by our names. */
const ids = {
  anthropic: "anthropic",
  azure: "azure",
  cerebras: "cerebras",
  cohere: "cohere",
  deepseek: "deepseek",
  fireworks: "fireworks",
  gemini: "google",
  groq: "groq",
  mistral: "mistral",
  moonshot: "moonshotai",
  openai: "openai",
  openrouter: "openrouter",
  perplexity: "perplexity",
  together: "together",
  xai: "x-ai",
} as const;

/** A vendor whose published prices are known. */
export type PricedVendor = keyof typeof ids;

export const pricedVendors = Object.keys(ids) as [PricedVendor, ...PricedVendor[]];

/** A model of the list, at the vendor that has it. */
interface Listed {
  readonly provider: Provider;
  readonly model: ModelInfo;
  /** The provider with this model only, so that no other one is found. */
  readonly alone: Provider;
}

/** Names of models that are remembered with their entries. Callers choose the names, so there is a limit. */
const maxNames = 1_000;

/**
 * Opens the list of published prices that the package `@pydantic/genai-prices` brings. It asks no server. The package takes about 3 MB and
 * 50 ms to load, so it is loaded only here.
 */
export async function openPublishedPrices(clock: Pick<Clock, "wallTimeMs">): Promise<PriceCatalog> {
  const { calcPrice } = await import("@pydantic/genai-prices");
  const known = new Map<string, Listed | undefined>();

  function look(vendor: PricedVendor, name: string): Listed | undefined {
    const key = `${vendor} ${name}`;
    if (known.has(key)) return known.get(key);
    if (known.size >= maxNames) known.clear();
    const found = calcPrice({}, name, { providerId: ids[vendor] }) ?? undefined;
    const listed = found && withAlone(found);
    known.set(key, listed);
    return listed;
  }

  function calculate({ model, alone }: Listed, usage: Record<string, number>) {
    return calcPrice(usage, model.id, { provider: alone, timestamp: new Date(clock.wallTimeMs()) });
  }

  function pricesAt(listed: Listed, inputTokens: number): TokenPrice | undefined {
    const prices: ListedPrice = calculate(listed, { input_tokens: inputTokens })?.model_price ?? {};
    const priceOf = (key: string) => tierOf(prices[key], inputTokens);
    const [input, output] = [priceOf("input_mtok"), priceOf("output_mtok")];
    if (input === undefined || output === undefined) return isFree(listed) ? free : undefined;
    return {
      ...{ input, output },
      cachedInput: priceOf("cache_read_mtok"),
      cacheWrite: priceOf("cache_write_mtok"),
    };
  }

  return {
    find(vendor, name): ModelPrice | undefined {
      const listed = isPriced(vendor) ? look(vendor, name) : undefined;
      // Models that are paid by the hour or the page have no price of tokens.
      const usual = listed && pricesAt(listed, 0);
      if (listed === undefined || usual === undefined) return undefined;
      return {
        approximate: !names(listed.model, name),
        costOf: (usage) => calculate(listed, countsOf(usage))?.total_price ?? 0,
        at: (inputTokens) => (inputTokens === 0 ? usual : (pricesAt(listed, inputTokens) ?? usual)),
      };
    },
  };
}

function withAlone({ provider, model }: Pick<Listed, "provider" | "model">): Listed {
  const alone = { ...provider, models: [{ ...model, match: { equals: model.id } }] };
  return { provider, model, alone };
}

const free: TokenPrice = { input: 0, output: 0 };

/** OpenRouter marks the models that cost nothing. */
function isFree({ provider, model }: Listed): boolean {
  return provider.id === "openrouter" && model.id.endsWith(":free");
}

function isPriced(vendor: string): vendor is PricedVendor {
  return Object.hasOwn(ids, vendor);
}

/** The package's names of our counts. It throws for parts that are larger than their whole, which `toldUsage` leaves out. */
function countsOf({ inputTokens, cachedTokens = 0, cacheWriteTokens = 0, outputTokens }: Usage) {
  return {
    input_tokens: inputTokens,
    cache_read_tokens: cachedTokens,
    cache_write_tokens: cacheWriteTokens,
    output_tokens: outputTokens,
  };
}

/** Whether the list has this very name, and not only its start or a pattern that fits it. */
function names({ id, match }: ModelInfo, name: string): boolean {
  const wanted = name.toLowerCase();
  return id.toLowerCase() === wanted || equals(match, wanted);
}

function equals(match: MatchLogic, wanted: string): boolean {
  if ("equals" in match) return match.equals.toLowerCase() === wanted;
  return "or" in match && match.or.some((one) => equals(one, wanted));
}

/** The price of a call with this much input, if the price depends on it. */
function tierOf(price: ListedPrice[string], inputTokens: number): number | undefined {
  if (typeof price !== "object") return price;
  return price.tiers.findLast(({ start }) => inputTokens > start)?.price ?? price.base;
}
