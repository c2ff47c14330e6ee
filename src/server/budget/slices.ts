import type { Clock } from "../../ports/clock.ts";
import type { PurseAmounts, SharedPurses, SliceRequest } from "../../ports/shared-purses.ts";
import type { DayNumber } from "../../ports/usage-store.ts";
import { HeldSlice, type SharedPurse } from "./held-slice.ts";

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

/** From one look at all slices to the next, milliseconds. Amounts that are not used go back then. */
const roundMs = 1_000;
/** Rounds between two looks for slices of nodes that are gone. */
const roundsBetweenLooks = 5;
/** How long a caller hopes for amounts that other nodes hold and do not use, milliseconds: they give them back within two rounds. */
const hopeMs = 2_500;
/** Between two asks of a caller who hopes, milliseconds. */
const hopePauseMs = 200;
const reserveMs = 60_000;

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

/** This node's slices of the purses that it pays from. They look after themselves until `closing` aborts. */
export class Slices {
  readonly #options: SlicesOptions;
  readonly #clock: Clock;
  readonly #day: () => DayNumber;
  readonly #closing: AbortSignal;
  readonly #held = new Map<string, HeldSlice>();
  #waiting: Waiter[] = [];
  #isAsking = false;
  #isRecountDue = false;

  constructor(options: SlicesOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#day = options.day;
    this.#closing = options.closing;
    void this.#lookAfter();
  }

  /**
   * Runs `take` as soon as the slices cover all needs, or when they cannot be covered: `take` then refuses. Runs it at once if they are
   * covered now.
   */
  whenCovered<Taken>(needs: readonly Need[], take: () => Taken): Taken | Promise<Taken> {
    for (const { purse } of needs) this.#hold(purse);
    return needs.every(isCovered) && !this.#isQueued(needs) ? take() : this.#wait(needs, hopeMs, take);
  }

  /** Settles when the figures of these purses are at most a second old. */
  async refreshed(purses: readonly SharedPurse[]): Promise<void> {
    const freshMs = this.#clock.now() - roundMs;
    if (purses.every((purse) => this.#hold(purse).answeredAtMs > freshMs)) return;
    const nothing = purses.map((purse) => ({ purse, amount: 0 }));
    await this.#wait(nothing, 0, () => undefined);
  }

  /** Holds these amounts beside the amounts in use; with -1 no longer. */
  spare(needs: readonly Need[], times: 1 | -1): void {
    for (const { purse, amount } of needs) this.#hold(purse).spare += times * amount;
  }

  /** Soon counts again how much the nodes that are gone have spent, after this node has taken over a call of one of them. */
  recountSoon(): void {
    this.#isRecountDue = true;
  }

  /** Forgets a purse here, whose slice stays as it was told last. False, and nothing happens, if that is not its final expense. */
  release(name: string): boolean {
    const one = this.#held.get(name);
    if (one === undefined) return true;
    const { slice, used } = one.purse.ledger;
    const isWaitedFor = this.#waiting.some(({ needs }) => needs.some((need) => need.purse.name === name));
    return one.isTold && slice <= used && one.spare === 0 && !isWaitedFor && this.#held.delete(name);
  }

  /** A new day has begun, and no slice of it is held yet. */
  renew(): void {
    for (const one of this.#held.values()) one.renew();
  }

  #hold(purse: SharedPurse): HeldSlice {
    const known = this.#held.get(purse.name);
    if (known?.purse.ledger === purse.ledger) {
      known.purse = purse;
      return known;
    }
    const added = new HeldSlice(purse);
    this.#held.set(purse.name, added);
    return added;
  }

  #wait<Taken>(needs: readonly Need[], hopedMs: number, take: () => Taken): Promise<Taken> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        try {
          resolve(take());
        } catch (refusal) {
          reject(refusal);
        }
      };
      const hopesUntilMs = this.#clock.now() + hopedMs;
      this.#waiting.push({ needs, hopesUntilMs, state: "new", settle, fail: reject });
      if (!this.#isAsking) void this.#ask();
    });
  }

  /** Asks until no caller waits. */
  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      // Callers of the same moment share the statement.
      await new Promise<void>((resolve) => setImmediate(resolve));
      await this.#askOnce();
      while (this.#waiting.length > 0) {
        if (this.#waiting.every(({ state }) => state === "hoping"))
          await this.#clock.sleep(hopePauseMs, this.#closing);
        if (this.#closing.aborted) throw this.#closing.reason;
        await this.#askOnce();
      }
    } catch (fault) {
      this.#giveUp(fault);
    }
    this.#isAsking = false;
  }

  #giveUp(fault: unknown): void {
    if (!this.#closing.aborted) this.#options.onFault(fault);
    for (const one of this.#held.values()) one.forgetTold();
    const failed = this.#waiting;
    this.#waiting = [];
    for (const { fail } of failed) fail(fault);
  }

  async #askOnce(): Promise<void> {
    const today = this.#day();
    const hasLeft = await this.#exchange(today);
    if (hasLeft) {
      await this.#options.purses.recount(today, this.#options.amountsOf);
      await this.#exchange(today);
    }
    if (today === this.#day()) this.#serve();
  }

  /** Tells and asks. Returns whether a node that is gone holds slices. */
  async #exchange(today: DayNumber): Promise<boolean> {
    const requests = this.#requestsOfNow();
    if (requests.length === 0) return false;
    const { slices, hasLeft } = await this.#options.purses.ask(today, requests);
    if (today === this.#day())
      for (const slice of slices) this.#held.get(slice.name)?.note(slice, this.#clock.now());
    return hasLeft;
  }

  /** Every slice that a caller waits for, or that has changed. */
  #requestsOfNow(): SliceRequest[] {
    const waited = new Map<string, number>();
    for (const waiter of this.#waiting) {
      // Its place in the queue lasts until it is served.
      if (waiter.state !== "overtaken") waiter.state = "asked";
      for (const { purse, amount } of waiter.needs)
        waited.set(purse.name, (waited.get(purse.name) ?? 0) + amount);
    }
    return [...this.#held.values()].flatMap((one) => this.#requestFor(one, waited.get(one.purse.name)) ?? []);
  }

  #requestFor(one: HeldSlice, waited: number | undefined): SliceRequest | undefined {
    const { used, spent } = one.purse.ledger;
    const nowMs = this.#clock.now();
    if (waited !== undefined || used > spent) one.usedAtMs = nowMs;
    const isRecent = nowMs - one.usedAtMs < reserveMs;
    const reserve = isRecent ? (this.#options.reserveOf?.(one.purse) ?? 0) : 0;
    return one.requestFor({ waited, reserve, nowMs });
  }

  /** In the order in which they came. */
  #serve(): void {
    const nowMs = this.#clock.now();
    const all = this.#waiting;
    this.#waiting = [];
    for (const waiter of all) {
      waiter.state = this.#stateOf(waiter, nowMs);
      if (waiter.state === "asked") waiter.settle();
      else this.#waiting.push(waiter);
    }
  }

  /** `asked` if an answer decides on its needs: they are covered, or no other node can give more. */
  #stateOf({ needs, state, hopesUntilMs }: Waiter, nowMs: number): Waiter["state"] {
    // It came during the ask, or a day has begun since.
    const isAnswered = ({ purse }: Need) => this.#hold(purse).answeredAtMs > Number.NEGATIVE_INFINITY;
    if (state === "new" || !needs.every(isAnswered)) return "new";
    const lacking = needs.filter((need) => !isCovered(need)).map(({ purse }) => this.#hold(purse));
    if (lacking.length === 0) return "asked";
    if (lacking.every(({ isShort }) => !isShort)) return "overtaken";
    const hasHope = hopesUntilMs > nowMs && lacking.every(({ unusedElsewhere }) => unusedElsewhere > 0);
    return hasHope ? "hoping" : "asked";
  }

  /** Whether a caller that was overtaken waits for one of these purses: the next ones queue behind it. */
  #isQueued(needs: readonly Need[]): boolean {
    const names = new Set(needs.map(({ purse }) => purse.name));
    return this.#waiting.some(
      (waiter) => waiter.state === "overtaken" && waiter.needs.some(({ purse }) => names.has(purse.name)),
    );
  }

  async #lookAfter(): Promise<void> {
    for (let round = 1; !this.#closing.aborted; round += 1) {
      await this.#clock.sleep(roundMs, this.#closing);
      if (this.#closing.aborted) return;
      if (!this.#isAsking) {
        for (const [name, { purse }] of this.#held) if (purse.ledger.used === 0) this.release(name);
        await this.#ask();
      }
      if (this.#isRecountDue || round % roundsBetweenLooks === 0)
        await this.#returnLeft().catch(this.#options.onFault);
    }
  }

  async #returnLeft(): Promise<void> {
    const isOwn = (left: DayNumber) => left > 0 === this.#day() > 0;
    const days = new Set((await this.#options.purses.leftDays()).filter(isOwn));
    if (this.#isRecountDue) days.add(this.#day());
    this.#isRecountDue = false;
    for (const left of days) await this.#options.purses.recount(left, this.#options.amountsOf);
  }
}

function isCovered({ purse: { ledger }, amount }: Need): boolean {
  return ledger.used + amount <= ledger.slice;
}
