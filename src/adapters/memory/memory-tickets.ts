import type { Caller } from "../../ports/caller.ts";
import type { Clock } from "../../ports/clock.ts";
import { type Tickets, ticketLifeMs } from "../../ports/tickets.ts";
import { sha256 } from "../system/system.ts";

/** Max unused tickets; above it the oldest are dropped. */
const maxTickets = 10_000;
/** Max unused tickets of one caller, or of one address without keys; above it the oldest of these are dropped. */
const maxPerCaller = 100;

interface Waiting {
  readonly caller: Caller;
  readonly validUntilMs: number;
}

/** Tickets in memory, valid for `ticketLifeMs`. Held as digests only. */
export function createMemoryTickets({ clock }: { readonly clock: Clock }): Tickets {
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
    // Taking the caller's last ticket has removed its set.
    byHolder.set(holder, own.add(ticketDigest));
    tickets.set(ticketDigest, { caller, validUntilMs: clock.now() + ticketLifeMs });
  }

  return {
    async issue(caller) {
      const ticket = clock.newId();
      add(sha256(ticket), caller);
      return ticket;
    },
    async redeem(ticket) {
      const found = take(sha256(ticket));
      return found !== undefined && clock.now() <= found.validUntilMs ? found.caller : undefined;
    },
  };
}

/** The holder for the limit: a caller without a key may be a new one for each ticket, but has the same address. */
function holderOf({ keyId, groups = [] }: Caller): string {
  return groups[0]?.id ?? keyId;
}
