import type { Budgets } from "../../ports/budgets.ts";
import type { Caller } from "../../ports/caller.ts";
import { CallerCounts, HeldByOwners, type HeldBytes, type Hold } from "../../ports/fair-shares.ts";
import type { TurnRequest } from "../../ports/turn-request.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { NodePlaces } from "./node-places.ts";

interface AdmissionOptions {
  /** Maximum turns at the same time: of a key that has no limit of its own, of one owner, and in all. */
  readonly maxPerKey: number;
  readonly maxPerOwner: number;
  readonly maxInAll: number;
  /** Maximum bytes that the requests of one owner, and all requests, may hold while they wait or run. */
  readonly maxBytesPerOwner: number;
  readonly maxBytes: number;
  readonly budgets: Pick<Budgets, "admit">;
  /** Counts the turns of keys and owners at other nodes too. Absent: there are none. */
  readonly places?: NodePlaces | undefined;
}

/** Refuses requests that exceed a limit, before anything of them is stored or started. */
export interface Admission {
  /**
   * Counts a turn in before anything is awaited, so that a burst cannot slip past the limits. The returned function counts it out, once.
   * Throws `too_many_requests`, `overloaded`, `larger_than_day_budget`, `day_budget_spent`, `request_rate_exceeded`.
   */
  admit(caller: Caller, inputTokens: number): Promise<() => void>;
  /**
   * Counts the memory that a request holds, in `connection` as well, before anything of the request waits or is stored. The caller must
   * release the hold. Throws `too_many_requests`, `overloaded`.
   */
  hold(caller: Caller, bytes: number, connection: HeldBytes): Hold;
  /**
   * Counts the memory of a turn that another process started and this one continues. It may exceed the limits: new requests then wait for
   * its end. The caller must release the hold.
   */
  holdRecovered(owner: string, bytes: number): Hold;
  /** Bytes that all requests hold now. */
  readonly heldBytes: number;
  /** Turns counted in now. */
  readonly count: number;
}

/** By then another turn of the same caller may have ended. */
const retryAfterMs = 1_000;

export function createAdmission(options: AdmissionOptions): Admission {
  const { maxPerKey, maxPerOwner, maxInAll, maxBytesPerOwner, maxBytes, budgets, places } = options;
  const counts = new CallerCounts("requestsInFlight", maxPerKey);
  const countByOwner = new Map<string, number>();
  const held = new HeldByOwners({ maxBytesPerOwner, maxBytes });

  function countOwner(owner: string, change: 1 | -1): void {
    const count = (countByOwner.get(owner) ?? 0) + change;
    if (count === 0) countByOwner.delete(owner);
    else countByOwner.set(owner, count);
  }

  function takeSlot(caller: Caller): () => void {
    const { owner } = caller;
    const full = counts.fullFor(caller);
    if (full !== undefined) throw refusalFor(full);
    if ((countByOwner.get(owner) ?? 0) >= maxPerOwner) throw refusalFor({});
    if (counts.inAll >= maxInAll) throw new TroupeError("overloaded", { retryAfterMs });
    const change = (by: 1 | -1) => {
      countOwner(owner, by);
      counts.add(caller, by);
    };
    change(1);
    let isTaken = true;
    return () => {
      if (isTaken) change(-1);
      isTaken = false;
    };
  }

  /** Takes the caller's places among the turns of all nodes. */
  function takePlaces(caller: Caller): Promise<() => void> | undefined {
    const ofOwner = { counted: `owner ${caller.owner}`, max: maxPerOwner };
    return places?.enter([...counts.limitsOf(caller), ofOwner], refusalFor);
  }

  return {
    get heldBytes() {
      return held.bytes;
    },
    hold: ({ owner }, bytes, connection) => held.hold(owner, bytes, [connection]),
    get count() {
      return counts.inAll;
    },
    holdRecovered: (owner, bytes) => held.hold(owner, bytes, [], true),
    async admit(caller, inputTokens) {
      const release = takeSlot(caller);
      let leave: (() => void) | undefined;
      const releaseAll = () => {
        release();
        leave?.();
      };
      try {
        leave = await takePlaces(caller);
        await budgets.admit(caller, inputTokens);
        return releaseAll;
      } catch (refused) {
        releaseAll();
        throw refused;
      }
    },
  };
}

/** Names the limit of a key or a group; an owner's is its own. */
function refusalFor({ name, max }: { readonly name?: string; readonly max?: number }): TroupeError {
  if (name === undefined) return new TroupeError("too_many_requests", { retryAfterMs });
  return new TroupeError("too_many_requests", { detail: `${name} may have ${max} in flight.`, retryAfterMs });
}

/** Only such a request can have parts that cost more than its model's tokens. */
type ResponsesRequest = Extract<TurnRequest, { kind: "responses" }>;

/** Tools that the client runs itself: they cost only tokens. */
const ownTools: ReadonlySet<unknown> = new Set(["function", "custom"]);
/** Tiers whose tokens cost no more than the model's price (`flex` costs less). */
const pricedTiers: ReadonlySet<unknown> = new Set(["auto", "default", "flex"]);

/**
 * If money is limited, refuses parts of a request that cost more than its model's tokens, because no setting holds a price for them.
 * Throws `invalid_message` with the field at fault.
 */
export function refuseUnpriced({ tools = [], options }: ResponsesRequest): void {
  const unpriced = tools.findIndex(({ type }) => !ownTools.has(type));
  if (unpriced >= 0) throw refusal(`tools.${unpriced}`, "tools that the provider runs");
  if (options.service_tier !== undefined && !pricedTiers.has(options.service_tier))
    throw refusal("options.service_tier", "this service tier");
  // The prompt may name another model, and tools of its own.
  if (options.prompt !== undefined) throw refusal("options.prompt", "prompts that the provider keeps");
}

function refusal(field: string, part: string): TroupeError {
  return new TroupeError("invalid_message", {
    field,
    detail: `Money is limited here, and there is no price for ${part}.`,
  });
}
