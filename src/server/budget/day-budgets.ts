import type { Caller } from "../../ports/caller.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Prices } from "../../ports/prices.ts";
import type { Usage } from "../../ports/provider.ts";
import type { SharedPurses } from "../../ports/shared-purses.ts";
import type { CallPlan } from "../../ports/turn-budget.ts";
import type { DayNumber, LeftCall, Spending, UsageStore } from "../../ports/usage-store.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { SharedPurse } from "./held-slice.ts";
import { costOf, KeyLedgers, Ledger, type Price, type Purse } from "./ledger.ts";
import { Slices } from "./slices.ts";

/** The limits of one day. An absent value means no limit. */
export interface DayLimits {
  /** For a key that has no limit of its own. */
  readonly tokensPerKey?: number | undefined;
  /** For all keys together. */
  readonly tokens?: number | undefined;
  /** For all keys together, in the unit of the prices. */
  readonly money?: number | undefined;
}

interface DayBudgetOptions {
  readonly clock: Clock;
  readonly usage: UsageStore;
  readonly limits: DayLimits;
  /** Returns the groups of a key whose earlier usage, before this process started, was recorded under the key. Default: none. */
  readonly groupIdsOf?: (keyId: string) => readonly string[];
  /** Asked only if money is limited. */
  readonly prices: Prices;
  /** The purses that other nodes pay from as well. Absent: this process is the only one. `clock` then has the time of all nodes. */
  readonly shared?: Shared | undefined;
}

/** The purses of several nodes. */
export interface Shared {
  readonly purses: SharedPurses;
  /** Aborts when this node closes. */
  readonly closing: AbortSignal;
  readonly onFault: (fault: unknown) => void;
}

type PlannedCall = Pick<CallPlan, "api" | "model" | "inputTokens">;
type CallName = Pick<LeftCall, "owner" | "requestId" | "lane" | "call">;

/** The budgets that pay for the calls of a day. */
export interface DayBudgets {
  readonly day: BudgetDay;
  /** Tokens reserved for running calls. */
  readonly reservedTokens: number;
  /** This node's slices of the purses; absent if there are no other nodes. */
  readonly slices: Slices | undefined;
  /** Counts the tokens spent today before this process started; called once, at the start. */
  takeUp(): Promise<void>;
  /** Notes a call that was left open: its usage is counted already, and it may be resumed. */
  noteLeft(call: LeftCall): void;
  /** Takes a call that was left open out of the count: it is resumed, and counts as a new call with its whole usage. */
  takeBack(call: CallName): void;
  /**
   * Throws `day_budget_spent` if a request with this much input cannot be paid today, even when other calls end. Throws
   * `larger_than_day_budget` if no day's budget can pay it.
   */
  check(caller: Caller, inputTokens: number): void;
  /** The purses of a request that other nodes pay from as well, if they are limited. */
  sharedPurses(caller: Caller): SharedPurse[];
  /** The purses of a call. Throws `budget_exhausted` if money is limited and the model has no price. */
  purses(caller: Caller, call: PlannedCall): Purse[];
}

const byToken: Price = { input: 1, output: 1 };
/** Prices are for this many tokens. */
const priceUnit = 1_000_000;
/** If running calls hold the rest of a budget, some of it may soon be free again. */
const reservedRetryMs = 5_000;

export function createDayBudgets({
  clock,
  usage,
  limits,
  groupIdsOf = () => [],
  prices,
  shared,
}: DayBudgetOptions): DayBudgets {
  /** By key and by group of callers. */
  const keys = new KeyLedgers({ mayDrop: (keyId) => slices?.release(keyName(keyId)) ?? true });
  const tokens = new Ledger();
  const money = new Ledger();
  const left = new Map<string, LeftCall>();
  const day = createBudgetDay(clock, () => {
    keys.renew();
    tokens.renew();
    money.renew();
    left.clear();
    slices?.renew();
  });
  const slices: Slices | undefined =
    shared === undefined ? undefined : new Slices({ ...shared, clock, day: () => day.current(), amountsOf });

  /** The amounts that usage takes from the purses, by their names. */
  function amountsOf(spending: Spending): [string, number][] {
    const { keyId, inputTokens, outputTokens } = spending;
    const ofTokens = [keyName(keyId), ...groupIdsOf(keyId).map((id) => keyName(groupName(id))), "tokens"];
    const amounts = ofTokens.map((name): [string, number] => [name, inputTokens + outputTokens]);
    const amount = moneyOf(spending);
    return amount === undefined ? amounts : [...amounts, ["money", amount]];
  }

  /** Earlier versions recorded no cost, and the end of a call may be lost. A model that has lost its price cannot be counted in money. */
  function moneyOf({ api, model, inputTokens, outputTokens, cost }: Spending): number | undefined {
    if (limits.money === undefined) return undefined;
    if (cost !== undefined) return inUnits(cost);
    const price = priceOf({ api, model, inputTokens: 0 });
    return price && costOf(price, inputTokens, outputTokens);
  }

  /** The price to reserve a call by: all of its input may be written to the vendor's cache. */
  function priceOf({ api, model, inputTokens }: PlannedCall): Price | undefined {
    const price = prices.priceOf({ api, model })?.at(inputTokens);
    return price && { input: Math.max(price.input, price.cacheWrite ?? 0), output: price.output };
  }

  /** Counts usage, or takes it back with -1. */
  function add(spending: Spending, times: 1 | -1): void {
    const { keyId, inputTokens, outputTokens } = spending;
    const groups = groupIdsOf(keyId).map((id) => keys.of(groupName(id)));
    for (const ledger of [keys.of(keyId), ...groups, tokens])
      ledger.settle(0, times * (inputTokens + outputTokens));
    money.settle(0, times * (moneyOf(spending) ?? 0));
  }

  function purse(name: string, ledger: Ledger, limit: number, price: Price, allowance: string): Purse {
    return {
      ...{ name, ledger, limit, price, allowance },
      refusal: (isSpent) => ({
        detail: `${allowance}, and ${isSpent ? "too little is left" : "calls that run hold the rest"}.`,
        retryAfterMs: isSpent ? day.msToNext() : reservedRetryMs,
      }),
    };
  }

  /** The purse of the key first, then those of its groups. */
  function tokenPurses({ keyId, limits: own, groups = [] }: Caller): Purse[] {
    const tokensPerKey = own.tokensPerDay ?? limits.tokensPerKey ?? Infinity;
    return [
      purse(
        keyName(keyId),
        keys.of(keyId),
        tokensPerKey,
        byToken,
        `This key may use ${tokensPerKey} tokens a day`,
      ),
      ...groups.map(({ id, name, limits: { tokensPerDay = Infinity } }) => {
        const allowance = `${name} may use ${tokensPerDay} tokens a day`;
        const group = groupName(id);
        return purse(keyName(group), keys.of(group), tokensPerDay, byToken, allowance);
      }),
      purse("tokens", tokens, limits.tokens ?? Infinity, byToken, "The server's tokens of a day are limited"),
    ];
  }

  function isLimited({ limits: own, groups = [] }: Caller): boolean {
    const perKey = own.tokensPerDay ?? limits.tokensPerKey;
    const all = [perKey, limits.tokens, limits.money, ...groups.map((group) => group.limits.tokensPerDay)];
    return all.some((limit) => limit !== undefined);
  }

  function moneyPurse(price: Price): Purse {
    const limit = (limits.money ?? Infinity) * priceUnit;
    const spent = ({ cost, inputTokens, outputTokens }: Usage) =>
      cost == null || cost.partial ? costOf(price, inputTokens, outputTokens) : inUnits(cost.usd);
    return { ...purse("money", money, limit, price, "The server's money of a day is limited"), spent };
  }

  return {
    day,
    slices,
    get reservedTokens() {
      return tokens.reserved;
    },
    async takeUp() {
      if (shared !== undefined) return shared.purses.recount(day.current(), amountsOf);
      const before = await usage.takeUp(day.current());
      for (const spending of before.spent) add(spending, 1);
      for (const call of before.left) left.set(nameOf(call), call);
    },
    noteLeft(call) {
      if (slices === undefined) left.set(nameOf(call), call);
    },
    takeBack(call) {
      day.current();
      slices?.recountSoon();
      const found = left.get(nameOf(call));
      left.delete(nameOf(call));
      if (found !== undefined) add(found, -1);
    },
    check(caller, inputTokens) {
      day.current();
      if (!isLimited(caller)) return;
      const ofTokens = tokenPurses(caller).map((one) => [one, inputTokens] as const);
      // The cost of a call is known only with its model.
      const needs = [...ofTokens, [moneyPurse(byToken), 0] as const];
      for (const [{ limit, allowance }, need] of needs)
        if (need >= limit) throw new TroupeError("larger_than_day_budget", { detail: `${allowance}.` });
      for (const [{ ledger, limit, allowance }, need] of needs) {
        const spent = ledger.spent + ledger.spentElsewhere;
        if (spent + need < limit) continue;
        const detail = spent < limit ? `${allowance}, and too little is left.` : `${allowance}.`;
        throw new TroupeError("day_budget_spent", { detail, retryAfterMs: day.msToNext() });
      }
    },
    sharedPurses(caller) {
      day.current();
      if (slices === undefined || !isLimited(caller)) return [];
      return sharedOnes([...tokenPurses(caller), moneyPurse(byToken)]);
    },
    purses(caller, call) {
      day.current();
      if (limits.money === undefined) return tokenPurses(caller);
      const price = priceOf(call);
      if (price === undefined)
        throw new TroupeError("budget_exhausted", {
          detail: "Money is limited here and this model has no price.",
          retryable: false,
        });
      return [...tokenPurses(caller), moneyPurse(price)];
    },
  };
}

/** Dollars in the unit of the ledger, in which whole prices of whole tokens are whole. */
function inUnits(usd: number): number {
  return Math.round(usd * priceUnit * priceUnit) / priceUnit;
}

/** The purses that have a limit and a name. */
export function sharedOnes<Any extends Purse>(purses: readonly Any[]): (Any & SharedPurse)[] {
  return purses.flatMap((purse) => {
    const { name, limit } = purse;
    return name === undefined || limit === Infinity ? [] : [{ ...purse, name }];
  });
}

/** The name of a purse that only callers of this key or group pay from. */
const keyName = (keyId: string) => `key ${keyId}`;

/** A name that no key can have. */
const groupName = (id: string) => `group ${id}`;

function nameOf({ owner, requestId, lane, call = 0 }: CallName): string {
  return JSON.stringify([owner, requestId, lane, call]);
}

/** The day whose budget is being spent. */
interface BudgetDay {
  /** First starts the next day if it is time. */
  current(): DayNumber;
  /** Milliseconds to the next day, as far as the wall clock can be trusted. */
  msToNext(): number;
}

const dayMs = 24 * 3_600_000;
/** A clock that runs fast starts a second new day no sooner than this, measured by the monotonic clock. */
const minBetweenMs = 20 * 3_600_000;

/** The UTC day of a wall clock. */
export function dayOf(wallTimeMs: number): DayNumber {
  return Math.floor(wallTimeMs / dayMs);
}

/**
 * The UTC day of the wall clock, protected against a clock that is set back and forth. The first new day starts when the clock shows a
 * later day. Each further one also needs most of a day (20 h) to have really passed, or a whole day if the clock was set back. `onNext`
 * is called at each new day, before any caller sees it.
 */
export function createBudgetDay(clock: Clock, onNext: () => void): BudgetDay {
  let day = dayOf(clock.wallTimeMs());
  let begunAtMs = clock.now();
  let isFirst = true;

  function isNext(today: DayNumber): boolean {
    const passedMs = clock.now() - begunAtMs;
    if (today > day) return isFirst || passedMs >= minBetweenMs;
    return today < day && passedMs >= dayMs;
  }

  return {
    current() {
      const today = dayOf(clock.wallTimeMs());
      if (isNext(today)) {
        day = today;
        begunAtMs = clock.now();
        isFirst = false;
        onNext();
      }
      return day;
    },
    msToNext: () => Math.min(dayMs, Math.max(1_000, (day + 1) * dayMs - clock.wallTimeMs())),
  };
}
