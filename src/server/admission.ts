import type { Budgets } from "../ports/budgets.ts";
import type { Caller } from "../ports/caller.ts";
import { HeldByOwners, type HeldBytes, type Hold } from "../ports/held-bytes.ts";
import { TroupeError } from "../protocol/errors.ts";

export interface AdmissionOptions {
  /** Turns that may run at the same time for a key that has no limit of its own, for one owner, and in all. */
  readonly mostPerKey: number;
  readonly mostPerOwner: number;
  readonly mostInAll: number;
  /** Bytes that the requests of one owner, and all, may hold while they wait or run. */
  readonly maxBytesPerOwner: number;
  readonly maxBytes: number;
  readonly budgets: Pick<Budgets, "admit">;
}

/** What refuses a request before anything of it is stored or started. */
export interface Admission {
  /**
   * Counts a turn in, before anything is awaited, so that a burst cannot slip past the limits. The returned function counts it
   * out, once. Throws `too_many_requests`, `overloaded`, `larger_than_day_budget`, `day_budget_spent`, `request_rate_exceeded`.
   */
  admit(caller: Caller, inputTokens: number): Promise<() => void>;
  /**
   * Counts what a request holds in memory, also in `connection`, before anything of it waits or is stored. Whoever takes a hold
   * releases it. Throws `too_many_requests`, `overloaded`.
   */
  hold(caller: Caller, bytes: number, connection: HeldBytes): Hold;
  /**
   * Counts what a turn of another process holds that goes on here, whatever the limits are: new requests wait for its end.
   * Whoever takes a hold releases it.
   */
  holdRecovered(owner: string, bytes: number): Hold;
  /** Bytes that all requests hold now. */
  readonly heldBytes: number;
  /** Turns that are counted in now. */
  readonly count: number;
}

/** When a turn of the same caller may have ended. */
const retryAfterMs = 1_000;

export function createAdmission(options: AdmissionOptions): Admission {
  const { mostPerKey, mostPerOwner, mostInAll, maxBytesPerOwner, maxBytes, budgets } = options;
  const counts = new Map<string, number>();
  const held = new HeldByOwners({ maxBytesPerOwner, maxBytes });
  let inAll = 0;

  function add(name: string, change: number): void {
    const count = (counts.get(name) ?? 0) + change;
    if (count === 0) counts.delete(name);
    else counts.set(name, count);
  }

  function takeSlot({ owner, keyId, limits, groups = [] }: Caller): () => void {
    const ofOwner = `owner ${owner}`;
    const ofKey = { id: `key ${keyId}`, name: "This key", most: limits.requestsInFlight ?? mostPerKey };
    const ofGroups = groups.map(({ id, name, limits }) => ({
      ...{ id: `group ${id}`, name },
      most: limits.requestsInFlight ?? Infinity,
    }));
    const limited = [ofKey, ...ofGroups];
    const full = limited.find(({ id, most }) => (counts.get(id) ?? 0) >= most);
    if (full !== undefined) {
      const detail = `${full.name} may have ${full.most} in flight.`;
      throw new TroupeError("too_many_requests", { detail, retryAfterMs });
    }
    if ((counts.get(ofOwner) ?? 0) >= mostPerOwner)
      throw new TroupeError("too_many_requests", { retryAfterMs });
    if (inAll >= mostInAll) throw new TroupeError("overloaded", { retryAfterMs });
    const change = (by: number) => {
      add(ofOwner, by);
      for (const { id } of limited) add(id, by);
      inAll += by;
    };
    change(1);
    let isTaken = true;
    return () => {
      if (isTaken) change(-1);
      isTaken = false;
    };
  }

  return {
    get heldBytes() {
      return held.bytes;
    },
    hold: ({ owner }, bytes, connection) => held.hold(owner, bytes, [connection]),
    get count() {
      return inAll;
    },
    holdRecovered: (owner, bytes) => held.hold(owner, bytes, [], true),
    async admit(caller, inputTokens) {
      const release = takeSlot(caller);
      try {
        await budgets.admit(caller, inputTokens);
        return release;
      } catch (refused) {
        release();
        throw refused;
      }
    },
  };
}
