import type { Caller } from "../ports/caller.ts";
import type { Clock } from "../ports/clock.ts";
import type { LeftCall, Spending, UsageStore } from "../ports/usage-store.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type BudgetDay, createBudgetDay } from "./budget-day.ts";
import { costOf, Ledger, type Price, type Purse } from "./ledger.ts";

/** What may be spent on one day; what is absent has no limit. */
export interface DayLimits {
  /** Of a key that has no limit of its own. */
  readonly tokensPerKey?: number | undefined;
  /** Of all keys together. */
  readonly tokens?: number | undefined;
  /** Of all keys together, in the unit of the prices. */
  readonly money?: number | undefined;
}

export interface DayBudgetOptions {
  readonly clock: Clock;
  readonly usage: UsageStore;
  readonly limits: DayLimits;
  /** The groups of a caller whose usage was recorded under its key before this process began. Default: none. */
  readonly groupIdsOf?: (keyId: string) => readonly string[];
  /** What a million tokens of a model cost; `undefined` where no price fits. Asked only where money is limited. */
  readonly priceOf: (model: string) => Price | undefined;
}

/** What the calls of a day are paid from. */
export interface DayBudgets {
  readonly day: BudgetDay;
  /** Tokens that are held back for calls that run. */
  readonly reservedTokens: number;
  /** Goes on with what was spent today before this process began; once, at the start. */
  takeUp(): Promise<void>;
  /** The call is counted as it was reserved, and may go on. */
  noteLeft(call: LeftCall): void;
  /** A call that was left goes on: from now on it is counted as another one, with all that it used. */
  takeBack(call: Pick<LeftCall, "owner" | "requestId" | "lane">): void;
  /**
   * Throws `day_budget_spent` where a request with so much input cannot be paid today, whatever else ends, and `larger_than_day_budget`
   * where no day pays it.
   */
  check(caller: Caller, inputTokens: number): void;
  /** Of a call of a model. Throws `budget_exhausted` where money is limited and no price fits. */
  purses(caller: Caller, model: string): Purse[];
}

const byToken: Price = { input: 1, output: 1 };
/** Prices are for so many tokens. */
const priceUnit = 1_000_000;
/** When calls that run hold what is left, some may soon be free again. */
const reservedRetryMs = 5_000;

export function createDayBudgets({
  clock,
  usage,
  limits,
  groupIdsOf = () => [],
  priceOf,
}: DayBudgetOptions): DayBudgets {
  /** Of keys, and of groups of callers. */
  const keys = new Map<string, Ledger>();
  const tokens = new Ledger();
  const money = new Ledger();
  const left = new Map<string, LeftCall>();
  const day = createBudgetDay(clock, () => {
    for (const [keyId, ledger] of keys) {
      if (ledger.reserved > 0) ledger.renew();
      else keys.delete(keyId);
    }
    tokens.renew();
    money.renew();
    left.clear();
  });

  /** Counts what was used, or with -1 gives it back. */
  function add({ keyId, model, inputTokens, outputTokens }: Spending, times: 1 | -1): void {
    const groups = groupIdsOf(keyId).map((id) => ofKey(groupName(id)));
    for (const ledger of [ofKey(keyId), ...groups, tokens])
      ledger.settle(0, times * (inputTokens + outputTokens));
    // What has lost its price since cannot be counted.
    const price = limits.money === undefined ? undefined : priceOf(model);
    if (price !== undefined) money.settle(0, times * costOf(price, inputTokens, outputTokens));
  }

  function ofKey(keyId: string): Ledger {
    const ledger = keys.get(keyId) ?? new Ledger();
    keys.set(keyId, ledger);
    return ledger;
  }

  function purse(ledger: Ledger, limit: number, price: Price, allowance: string): Purse {
    return {
      ledger,
      limit,
      price,
      allowance,
      refusal: (isSpent) => ({
        detail: `${allowance}, and ${isSpent ? "too little is left" : "calls that run hold the rest"}.`,
        retryAfterMs: isSpent ? day.msToNext() : reservedRetryMs,
      }),
    };
  }

  /** Of the key first, then of its groups. */
  function tokenPurses({ keyId, limits: own, groups = [] }: Caller): Purse[] {
    const tokensPerKey = own.tokensPerDay ?? limits.tokensPerKey ?? Infinity;
    return [
      purse(ofKey(keyId), tokensPerKey, byToken, `This key may use ${tokensPerKey} tokens a day`),
      ...groups.map(({ id, name, limits: { tokensPerDay = Infinity } }) => {
        const allowance = `${name} may use ${tokensPerDay} tokens a day`;
        return purse(ofKey(groupName(id)), tokensPerDay, byToken, allowance);
      }),
      purse(tokens, limits.tokens ?? Infinity, byToken, "The server's tokens of a day are limited"),
    ];
  }

  function moneyPurse(price: Price): Purse {
    const limit = (limits.money ?? Infinity) * priceUnit;
    return purse(money, limit, price, "The server's money of a day is limited");
  }

  return {
    day,
    get reservedTokens() {
      return tokens.reserved;
    },
    async takeUp() {
      const before = await usage.takeUp(day.current());
      for (const spending of before.spent) add(spending, 1);
      for (const call of before.left) left.set(nameOf(call), call);
    },
    noteLeft: (call) => void left.set(nameOf(call), call),
    takeBack(call) {
      day.current();
      const found = left.get(nameOf(call));
      left.delete(nameOf(call));
      if (found !== undefined) add(found, -1);
    },
    check(caller, inputTokens) {
      day.current();
      const ofTokens = tokenPurses(caller).map((one) => [one, inputTokens] as const);
      // What a call costs is known only with its model.
      const needs = [...ofTokens, [moneyPurse(byToken), 0] as const];
      for (const [{ limit, allowance }, need] of needs)
        if (need >= limit) throw new TroupeError("larger_than_day_budget", { detail: `${allowance}.` });
      for (const [{ ledger, limit, allowance }, need] of needs) {
        if (ledger.spent + need < limit) continue;
        const detail = ledger.spent < limit ? `${allowance}, and too little is left.` : `${allowance}.`;
        throw new TroupeError("day_budget_spent", { detail, retryAfterMs: day.msToNext() });
      }
    },
    purses(caller, model) {
      day.current();
      if (limits.money === undefined) return tokenPurses(caller);
      const price = priceOf(model);
      if (price === undefined)
        throw new TroupeError("budget_exhausted", {
          detail: "Money is limited here and this model has no price.",
          retryable: false,
        });
      return [...tokenPurses(caller), moneyPurse(price)];
    },
  };
}

/** No key has such a name. */
function groupName(id: string): string {
  return `group ${id}`;
}

function nameOf({ owner, requestId, lane }: Pick<LeftCall, "owner" | "requestId" | "lane">): string {
  return JSON.stringify([owner, requestId, lane]);
}
