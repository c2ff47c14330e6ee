import type { Slice, SliceRequest } from "../../ports/shared-purses.ts";
import type { Purse } from "./ledger.ts";

/** A purse that other nodes pay from as well. */
export type SharedPurse = Required<Pick<Purse, "name">> & Pick<Purse, "ledger" | "limit">;

/** After this time an answered ask is on the disk, milliseconds. PostgreSQL needs at most 0.6 s with its defaults. */
const durableMs = 900;

/** The wishes for a slice at the moment of an ask. */
interface Wishes {
  /** The sum of the needs of waiting callers; `undefined` if none waits. */
  readonly waited: number | undefined;
  /** The amount that is held beside the amounts in use. */
  readonly reserve: number;
  readonly nowMs: number;
}

/** One slice of this node, and the figures of it that the other nodes know. */
export class HeldSlice {
  purse: SharedPurse;
  /** An amount that is held beside the amounts in use. */
  spare = 0;
  usedAtMs = Number.NEGATIVE_INFINITY;
  answeredAtMs = Number.NEGATIVE_INFINITY;
  /** Whether the last answer grants less than the need that was told. */
  isShort = false;
  unusedElsewhere = 0;
  /** The figures that were told; NaN if they must be told again. */
  #toldUsed = Number.NaN;
  #toldSpent = Number.NaN;
  #toldNeed = 0;
  /** When they were first answered; Infinity before. They are told twice, because a crash of the database may lose the first time. */
  #toldAtMs = Number.POSITIVE_INFINITY;
  #isToldAgain = false;

  constructor(purse: SharedPurse) {
    purse.ledger.slice = 0;
    this.purse = purse;
  }

  /** Whether the others know all that there is to know, also after a crash of the database. */
  get isTold(): boolean {
    const { used } = this.purse.ledger;
    const isUntouched = used === 0 && this.answeredAtMs === Number.NEGATIVE_INFINITY;
    return isUntouched || (this.#isSame && this.#isToldAgain);
  }

  get #isSame(): boolean {
    const { used, spent } = this.purse.ledger;
    return used === this.#toldUsed && spent === this.#toldSpent;
  }

  /** The figures to tell now; `undefined` if there are none. */
  requestFor({ waited, reserve, nowMs }: Wishes): SliceRequest | undefined {
    const { name, ledger, limit: cap } = this.purse;
    const { used, spent } = ledger;
    const need = used + (waited ?? 0);
    const want = need + this.spare + reserve;
    const changes = waited !== undefined || !this.#isSame || want < ledger.slice;
    const isRepeat = !changes && !this.#isToldAgain && nowMs - this.#toldAtMs >= durableMs;
    if (!changes && !isRepeat) return undefined;
    if (changes) this.#toldAtMs = Number.POSITIVE_INFINITY;
    this.#isToldAgain = isRepeat;
    // It shrinks here before it is told, so that no call takes the rest meanwhile.
    ledger.slice = Math.min(ledger.slice, want);
    this.#toldUsed = used;
    this.#toldSpent = spent;
    this.#toldNeed = need;
    return { name, cap, spent, used, need, want };
  }

  note({ amount, spentElsewhere, heldElsewhere, unusedElsewhere }: Slice, nowMs: number): void {
    Object.assign(this.purse.ledger, { slice: amount, spentElsewhere, heldElsewhere });
    this.answeredAtMs = nowMs;
    this.#toldAtMs = Math.min(this.#toldAtMs, nowMs);
    this.isShort = amount < this.#toldNeed;
    this.unusedElsewhere = unusedElsewhere;
  }

  /** An ask has failed: nothing is known of the figures that it told. */
  forgetTold(): void {
    this.#toldUsed = Number.NaN;
  }

  /** A new day has begun, and no slice of it is held yet. */
  renew(): void {
    Object.assign(this.purse.ledger, { slice: 0, spentElsewhere: 0, heldElsewhere: 0 });
    this.forgetTold();
    this.answeredAtMs = Number.NEGATIVE_INFINITY;
  }
}
