import type { Clock } from "../../ports/clock.ts";
import type { PurseAmounts, SharedPurses, Slice, SliceRequest } from "../../ports/shared-purses.ts";
import type { DayNumber } from "../../ports/usage-store.ts";
import type { Purse } from "./ledger.ts";

/** A purse that other nodes pay from as well. */
export type SharedPurse = Required<Pick<Purse, "name">> & Pick<Purse, "ledger" | "limit">;

/** An amount that must be in this node's slice. */
export interface Need {
  readonly purse: SharedPurse;
  readonly amount: number;
}

interface SlicesOptions {
  readonly purses: SharedPurses;
  readonly clock: Clock;
  readonly day: () => DayNumber;
  /** The amounts that a recorded use of tokens takes from purses. */
  readonly amountsOf: PurseAmounts;
  /** The amount that is held beside the amounts in use, even a minute after the last use. Default: none. */
  readonly reserveOf?: (purse: SharedPurse) => number;
  /** Aborts when the node closes. */
  readonly closing: AbortSignal;
  readonly onFault: (fault: unknown) => void;
}

/** This node's slices of the purses that it pays from. */
export interface Slices {
  /**
   * Runs `take` as soon as the slices cover all needs, or when they cannot be covered: `take` then refuses. Runs it at once if they are
   * covered now.
   */
  whenCovered<Taken>(needs: readonly Need[], take: () => Taken): Taken | Promise<Taken>;
  /** Settles when the figures of these purses are at most a second old. */
  refreshed(purses: readonly SharedPurse[]): Promise<void>;
  /** Holds these amounts beside the amounts in use; with -1 no longer. */
  spare(needs: readonly Need[], times: 1 | -1): void;
  /** Soon counts again how much the nodes that are gone have spent, after this node has taken over a call of one of them. */
  recountSoon(): void;
  /** Forgets a purse here, whose slice stays as it was told last. False, and nothing happens, if that is not its final expense. */
  release(name: string): boolean;
  /** A new day has begun, and no slice of it is held yet. */
  renew(): void;
}

/** From one look at all slices to the next, milliseconds. Amounts that are not used go back then. */
const roundMs = 1_000;
/** Rounds between two looks for slices of nodes that are gone. */
const roundsBetweenLooks = 5;
/** How long a caller hopes for amounts that other nodes hold and do not use, milliseconds: they give them back within two rounds. */
const hopeMs = 2_500;
/** Between two asks of a caller who hopes, milliseconds. */
const hopePauseMs = 200;
const reserveMs = 60_000;

interface Held {
  purse: SharedPurse;
  spare: number;
  /** The figures that the other nodes know; NaN if they must be told again. */
  toldUsed: number;
  toldSpent: number;
  answeredAtMs: number;
  usedAtMs: number;
  /** The need that was told with the last ask, and whether the answer grants less. */
  toldNeed: number;
  isShort: boolean;
  unusedElsewhere: number;
}

interface Waiter {
  readonly needs: readonly Need[];
  readonly hopesUntilMs: number;
  /**
   * `new` until an ask contains its needs, then `asked`. `overtaken` if later callers took the amount, and `hoping` if other nodes hold it
   * and do not use it.
   */
  state: "new" | "asked" | "overtaken" | "hoping";
  settle(): void;
  fail(fault: unknown): void;
}

/** Opens the slices. They look after themselves until `closing` aborts. */
export function openSlices(options: SlicesOptions): Slices {
  const { purses, clock, day, amountsOf, reserveOf = () => 0, closing, onFault } = options;
  const held = new Map<string, Held>();
  let waiting: Waiter[] = [];
  let isAsking = false;
  let isRecountDue = false;

  function hold(purse: SharedPurse): Held {
    const known = held.get(purse.name);
    if (known?.purse.ledger === purse.ledger) {
      known.purse = purse;
      return known;
    }
    purse.ledger.slice = 0;
    const never = Number.NEGATIVE_INFINITY;
    const told = { toldUsed: Number.NaN, toldSpent: Number.NaN, toldNeed: 0 };
    const answered = { answeredAtMs: never, isShort: false, unusedElsewhere: 0 };
    const added: Held = { purse, spare: 0, ...told, ...answered, usedAtMs: never };
    held.set(purse.name, added);
    return added;
  }

  function isCovered({ purse: { ledger }, amount }: Need): boolean {
    return ledger.used + amount <= ledger.slice;
  }

  function wait<Taken>(needs: readonly Need[], hopedMs: number, take: () => Taken): Promise<Taken> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        try {
          resolve(take());
        } catch (refusal) {
          reject(refusal);
        }
      };
      waiting.push({ needs, hopesUntilMs: clock.now() + hopedMs, state: "new", settle, fail: reject });
      if (!isAsking) void ask();
    });
  }

  /** Asks until no caller waits. */
  async function ask(): Promise<void> {
    isAsking = true;
    try {
      // Callers of the same moment share the statement.
      await new Promise<void>((resolve) => setImmediate(resolve));
      await askOnce();
      while (waiting.length > 0) {
        if (waiting.every(({ state }) => state === "hoping")) await clock.sleep(hopePauseMs, closing);
        if (closing.aborted) throw closing.reason;
        await askOnce();
      }
    } catch (fault) {
      giveUp(fault);
    }
    isAsking = false;
  }

  function giveUp(fault: unknown): void {
    if (!closing.aborted) onFault(fault);
    for (const one of held.values()) one.toldUsed = Number.NaN;
    const failed = waiting;
    waiting = [];
    for (const { fail } of failed) fail(fault);
  }

  async function askOnce(): Promise<void> {
    const today = day();
    const hasLeft = await exchange(today);
    if (hasLeft) {
      await purses.recount(today, amountsOf);
      await exchange(today);
    }
    if (today === day()) serve();
  }

  /** Tells and asks. Returns whether a node that is gone holds slices. */
  async function exchange(today: DayNumber): Promise<boolean> {
    const requests = requestsOfNow();
    if (requests.length === 0) return false;
    const { slices, hasLeft } = await purses.ask(today, requests);
    if (today === day()) for (const slice of slices) note(slice);
    return hasLeft;
  }

  /** Every slice that a caller waits for, or that has changed. */
  function requestsOfNow(): SliceRequest[] {
    const waited = new Map<string, number>();
    for (const waiter of waiting) {
      // Its place in the queue lasts until it is served.
      if (waiter.state !== "overtaken") waiter.state = "asked";
      for (const { purse, amount } of waiter.needs)
        waited.set(purse.name, (waited.get(purse.name) ?? 0) + amount);
    }
    return [...held.values()].flatMap((one) => requestFor(one, waited.get(one.purse.name)) ?? []);
  }

  function requestFor(one: Held, waited: number | undefined): SliceRequest | undefined {
    const { name, ledger, limit: cap } = one.purse;
    const { used, spent } = ledger;
    const nowMs = clock.now();
    if (waited !== undefined || used > spent) one.usedAtMs = nowMs;
    const need = used + (waited ?? 0);
    const want = need + one.spare + (nowMs - one.usedAtMs < reserveMs ? reserveOf(one.purse) : 0);
    const isTold = used === one.toldUsed && spent === one.toldSpent;
    if (waited === undefined && isTold && want >= ledger.slice) return undefined;
    // It shrinks here before it is told, so that no call takes the rest meanwhile.
    ledger.slice = Math.min(ledger.slice, want);
    one.toldUsed = used;
    one.toldSpent = spent;
    one.toldNeed = need;
    return { name, cap, spent, used, need, want };
  }

  function note({ name, amount, spentElsewhere, heldElsewhere, unusedElsewhere }: Slice): void {
    const one = held.get(name);
    if (one === undefined) return;
    Object.assign(one.purse.ledger, { slice: amount, spentElsewhere, heldElsewhere });
    one.answeredAtMs = clock.now();
    one.isShort = amount < one.toldNeed;
    one.unusedElsewhere = unusedElsewhere;
  }

  /** In the order in which they came. */
  function serve(): void {
    const nowMs = clock.now();
    const all = waiting;
    waiting = [];
    for (const waiter of all) {
      waiter.state = stateOf(waiter, nowMs);
      if (waiter.state === "asked") waiter.settle();
      else waiting.push(waiter);
    }
  }

  /** `asked` if an answer decides on its needs: they are covered, or no other node can give more. */
  function stateOf({ needs, state, hopesUntilMs }: Waiter, nowMs: number): Waiter["state"] {
    // It came during the ask, or a day has begun since.
    if (state === "new" || needs.some(({ purse }) => hold(purse).answeredAtMs === Number.NEGATIVE_INFINITY))
      return "new";
    const lacking = needs.filter((need) => !isCovered(need)).map(({ purse }) => hold(purse));
    if (lacking.length === 0) return "asked";
    if (lacking.every(({ isShort }) => !isShort)) return "overtaken";
    const hasHope = hopesUntilMs > nowMs && lacking.every(({ unusedElsewhere }) => unusedElsewhere > 0);
    return hasHope ? "hoping" : "asked";
  }

  /** Whether a caller that was overtaken waits for one of these purses: the next ones queue behind it. */
  function isQueued(needs: readonly Need[]): boolean {
    const names = new Set(needs.map(({ purse }) => purse.name));
    return waiting.some(
      (waiter) => waiter.state === "overtaken" && waiter.needs.some(({ purse }) => names.has(purse.name)),
    );
  }

  function release(name: string): boolean {
    const one = held.get(name);
    if (one === undefined) return true;
    const { slice, used, spent } = one.purse.ledger;
    const isTold = used === 0 || (used === one.toldUsed && spent === one.toldSpent);
    const isWaitedFor = waiting.some(({ needs }) => needs.some((need) => need.purse.name === name));
    return isTold && slice <= used && one.spare === 0 && !isWaitedFor && held.delete(name);
  }

  async function lookAfter(): Promise<void> {
    for (let round = 1; !closing.aborted; round += 1) {
      await clock.sleep(roundMs, closing);
      if (closing.aborted) return;
      if (!isAsking) {
        for (const [name, { purse }] of held) if (purse.ledger.used === 0) release(name);
        await ask();
      }
      if (isRecountDue || round % roundsBetweenLooks === 0) await returnLeft().catch(onFault);
    }
  }

  async function returnLeft(): Promise<void> {
    const isOwn = (left: DayNumber) => left > 0 === day() > 0;
    const days = new Set((await purses.leftDays()).filter(isOwn));
    if (isRecountDue) days.add(day());
    isRecountDue = false;
    for (const left of days) await purses.recount(left, amountsOf);
  }

  void lookAfter();
  return {
    whenCovered(needs, take) {
      for (const { purse } of needs) hold(purse);
      return needs.every(isCovered) && !isQueued(needs) ? take() : wait(needs, hopeMs, take);
    },
    async refreshed(asked) {
      const freshMs = clock.now() - roundMs;
      if (asked.every((purse) => hold(purse).answeredAtMs > freshMs)) return;
      await wait(
        asked.map((purse) => ({ purse, amount: 0 })),
        0,
        () => undefined,
      );
    },
    spare(needs, times) {
      for (const { purse, amount } of needs) hold(purse).spare += times * amount;
    },
    release,
    recountSoon() {
      isRecountDue = true;
    },
    renew() {
      for (const one of held.values()) {
        Object.assign(one.purse.ledger, { slice: 0, spentElsewhere: 0, heldElsewhere: 0 });
        one.toldUsed = Number.NaN;
        one.answeredAtMs = Number.NEGATIVE_INFINITY;
      }
    },
  };
}
