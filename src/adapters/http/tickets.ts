import type { Caller } from "../../ports/caller.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Tickets } from "../../ports/tickets.ts";
import { digest } from "./credentials.ts";

/** How long a ticket can be used, once: it stands in an address, and addresses end in logs. */
export const ticketLifeMs = 30_000;
/** Most tickets that wait to be used; the oldest give way. */
const mostTickets = 10_000;

/** Tickets in memory, good for `ticketLifeMs`. Held as digests only. */
export function createTickets({ clock }: { readonly clock: Clock }): Tickets {
  const tickets = new Map<string, { readonly caller: Caller; readonly validUntilMs: number }>();
  return {
    async issue(caller) {
      const ticket = clock.newId();
      const [oldest] = tickets.keys();
      if (tickets.size >= mostTickets && oldest !== undefined) tickets.delete(oldest);
      tickets.set(digest(ticket), { caller, validUntilMs: clock.now() + ticketLifeMs });
      return ticket;
    },
    async redeem(ticket) {
      const found = tickets.get(digest(ticket));
      tickets.delete(digest(ticket));
      return found !== undefined && clock.now() <= found.validUntilMs ? found.caller : undefined;
    },
  };
}
