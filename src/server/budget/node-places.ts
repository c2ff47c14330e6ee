import type { SharedPurse } from "./held-slice.ts";
import { Ledger } from "./ledger.ts";
import type { Slices } from "./slices.ts";

/** A limit of the requests that may be in flight at all nodes together. */
interface PlaceLimit {
  /** The same at all nodes. */
  readonly counted: string;
  readonly max: number;
}

/** The places of requests in flight at all nodes. */
export interface NodePlaces {
  /**
   * Takes one place within each limit, or none. Throws the refusal for the first limit without a place. The returned function gives the
   * places back, once.
   */
  enter<Limit extends PlaceLimit>(
    limits: readonly Limit[],
    refusal: (full: Limit) => Error,
  ): Promise<() => void>;
}

/** Ledgers that nothing is counted in are dropped when there are this many more. */
const sweepStep = 1_000;

/** Places are the amounts of purses that have no day and of which nothing is ever spent. */
export function createNodePlaces(slices: Slices): NodePlaces {
  const ledgers = new Map<string, Ledger>();
  let sweepAt = sweepStep;

  function ledgerOf(name: string): Ledger {
    const known = ledgers.get(name);
    if (known !== undefined) return known;
    if (ledgers.size >= sweepAt) sweep();
    const added = new Ledger();
    ledgers.set(name, added);
    return added;
  }

  function sweep(): void {
    for (const [name, { used, slice }] of ledgers) if (used === 0 && slice === 0) ledgers.delete(name);
    sweepAt = ledgers.size + sweepStep;
  }

  return {
    async enter(limits, refusal) {
      const finite = limits.filter(({ max }) => max < Infinity);
      const places = finite.map(({ counted, max }): SharedPurse => {
        const name = `in flight ${counted}`;
        return { name, ledger: ledgerOf(name), limit: max };
      });
      const needs = places.map((purse) => ({ purse, amount: 1 }));
      await slices.whenCovered(needs, () => {
        const full = finite.find((_, index) => isFull(places[index]));
        if (full !== undefined) throw refusal(full);
        for (const { ledger } of places) ledger.reserve(1);
      });
      let isTaken = true;
      return () => {
        if (isTaken) for (const { ledger } of places) ledger.settle(1, 0);
        isTaken = false;
      };
    },
  };
}

function isFull(place: SharedPurse | undefined): boolean {
  return place !== undefined && place.ledger.used + 1 > place.ledger.slice;
}
