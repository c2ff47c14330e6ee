import type { Caller } from "../../ports/caller.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Tickets } from "../../ports/tickets.ts";
import { digest } from "./credentials.ts";

/** How long a ticket can be used, once: it stands in an address, and addresses end in logs. */
export const ticketLifeMs = 30_000;
/** Max tickets that wait to be used; beyond it the oldest give way. */
const maxTickets = 10_000;
/** Max of one caller, or of one address without keys; beyond it the oldest of its own give way. */
const maxPerCaller = 100;

interface Waiting {
  readonly caller: Caller;
  readonly validUntilMs: number;
}

/** Tickets in memory, good for `ticketLifeMs`. Held as digests only. */
export function createTickets({ clock }: { readonly clock: Clock }): Tickets {
  const tickets = new Map<string, Waiting>();
  /** The digests of each caller's tickets, the oldest first. */
  const byHolder = new Map<string, Set<string>>();

  function take(ticketDigest: string): Waiting | undefined {
    const found = tickets.get(ticketDigest);
    if (found === undefined) return undefined;
    tickets.delete(ticketDigest);
    const holder = holderOf(found.caller);
    const own = byHolder.get(holder);
    own?.delete(ticketDigest);
    if (own?.size === 0) byHolder.delete(holder);
    return found;
  }

  function add(ticketDigest: string, caller: Caller): void {
    const holder = holderOf(caller);
    const own = byHolder.get(holder) ?? new Set();
    const [oldestOwn] = own;
    const [oldest] = tickets.keys();
    if (own.size >= maxPerCaller && oldestOwn !== undefined) take(oldestOwn);
    else if (tickets.size >= maxTickets && oldest !== undefined) take(oldest);
    // Taking its last one away has forgotten the caller.
    byHolder.set(holder, own.add(ticketDigest));
    tickets.set(ticketDigest, { caller, validUntilMs: clock.now() + ticketLifeMs });
  }

  return {
    async issue(caller) {
      const ticket = clock.newId();
      add(digest(ticket), caller);
      return ticket;
    },
    async redeem(ticket) {
      const found = take(digest(ticket));
      return found !== undefined && clock.now() <= found.validUntilMs ? found.caller : undefined;
    },
  };
}

/** A caller without a key can be another one for every ticket, but comes from the same address. */
function holderOf({ keyId, groups = [] }: Caller): string {
  return groups[0]?.id ?? keyId;
}
