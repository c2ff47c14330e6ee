import { z } from "zod";
import { count, list } from "./setting-kinds.ts";

const pricePattern = String.raw`(\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?)`;
const priceForm = new RegExp(`^${pricePattern}$`);
const modelPriceForm = new RegExp(`^(\\P{Cc}{1,256})=${pricePattern}$`, "u");

/** Tokens or requests. No limit unless one is set. */
const limit = z.coerce.number().int().min(1).optional();

function refuse(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: "custom", message });
  return z.NEVER;
}

function readPrices(entries: readonly string[], context: z.RefinementCtx) {
  return entries.map((entry) => {
    const [, model, input, output] = modelPriceForm.exec(entry) ?? [];
    if (model === undefined) return refuse(context, "write model=input/output, as gpt-4o-mini=0.15/0.6");
    return { model, price: { input: Number(input), output: Number(output) } };
  });
}

function readPrice(value: string, context: z.RefinementCtx) {
  const [, input, output] = priceForm.exec(value) ?? [];
  if (input === undefined) return refuse(context, "write input/output, as 2.5/10");
  return { input: Number(input), output: Number(output) };
}

/** The settings that limit requests and tokens over time, and money. */
export const budgetSettings = {
  requestsPerMinute: {
    name: "TROUPE_REQUESTS_PER_MINUTE",
    schema: limit,
    help: "max requests a minute of one key",
  },
  tokensPerDay: {
    name: "TROUPE_TOKENS_PER_DAY",
    schema: limit,
    help: "max tokens a day of one key, input and output",
  },
  serverTokensPerDay: {
    name: "TROUPE_SERVER_TOKENS_PER_DAY",
    schema: limit,
    help: "max tokens a day in all",
  },
  moneyPerDay: {
    name: "TROUPE_MONEY_PER_DAY",
    schema: z.coerce.number().positive().optional(),
    help: "max money a day in all, in US dollars",
  },
  prices: {
    name: "TROUPE_PRICES",
    hasParts: true,
    schema: list.transform(readPrices).default([]),
    help: "own prices of models in US dollars per million tokens, as model=input/output, comma-separated; a version without one costs as much as the most expensive other version",
  },
  fallbackPrice: {
    name: "TROUPE_FALLBACK_PRICE",
    schema: z.string().transform(readPrice).optional(),
    help: "price of a model that has no other, as input/output",
  },
  reservedTokens: {
    name: "TROUPE_RESERVED_TOKENS",
    schema: count(256, 16),
    help: "output tokens that budgets reserve at a time for a call",
  },
} as const;
