import { Ledger } from "./ledger.ts";

interface KeyLedgersOptions {
  /** Maximum ledgers without a running call. Default 100,000. */
  readonly max?: number;
  /** Whether the ledger without a running call may be dropped now. Default: always. */
  readonly mayDrop?: (keyId: string) => boolean;
}

/**
 * The ledgers of a day's keys and groups, in bounded memory: anonymous callers may be new ones for every request. Above the maximum, the
 * ledgers with the smallest expenses are dropped. A key without a ledger starts with the largest expense that was dropped, so it may get
 * less than its budget but never more. Ledgers of running calls stay.
 */
export class KeyLedgers {
  readonly #max: number;
  readonly #mayDrop: (keyId: string) => boolean;
  readonly #ledgers = new Map<string, Ledger>();
  #maxDropped = 0;
  /** The size at which ledgers are dropped. */
  #dropsAt: number;

  constructor({ max = 100_000, mayDrop = () => true }: KeyLedgersOptions = {}) {
    this.#max = max;
    this.#mayDrop = mayDrop;
    this.#dropsAt = max;
  }

  get size(): number {
    return this.#ledgers.size;
  }

  of(keyId: string): Ledger {
    const known = this.#ledgers.get(keyId);
    if (known !== undefined) return known;
    if (this.#ledgers.size >= this.#dropsAt) this.#drop();
    const ledger = new Ledger();
    ledger.settle(0, this.#maxDropped);
    this.#ledgers.set(keyId, ledger);
    return ledger;
  }

  /** Starts a new day. */
  renew(): void {
    this.#maxDropped = 0;
    this.#dropsAt = this.#max;
    for (const [keyId, ledger] of this.#ledgers) {
      ledger.renew();
      if (ledger.reserved === 0) this.#ledgers.delete(keyId);
    }
  }

  /** Drops a tenth of the ledgers at a time, because it reads all of them. */
  #drop(): void {
    const idle = [...this.#ledgers].filter(([, ledger]) => ledger.reserved === 0);
    const expenses = Float64Array.from(idle, ([, { spent }]) => spent).sort();
    let left = Math.ceil(this.#max / 10);
    const limit = expenses[Math.min(left, expenses.length) - 1] ?? 0;
    for (const [keyId, { spent }] of idle) {
      if (left === 0) break;
      if (spent > limit || !this.#mayDrop(keyId)) continue;
      left -= 1;
      this.#ledgers.delete(keyId);
      this.#maxDropped = Math.max(this.#maxDropped, spent);
    }
    // With many running calls, the next attempt waits for as many new keys again.
    this.#dropsAt = Math.max(this.#max, this.#ledgers.size + Math.ceil(this.#max / 10));
  }
}
