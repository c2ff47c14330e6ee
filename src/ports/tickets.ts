import type { Caller } from "./caller.ts";

/** Time in which a ticket can be used, once. It is short because tickets are in URLs, and URLs end up in logs. */
export const ticketLifeMs = 30_000;

/** Tickets, each of which opens one socket. */
export interface Tickets {
  /** A ticket for this caller, valid once and for `ticketLifeMs`. */
  issue(caller: Caller): Promise<string>;
  /** The caller that the ticket was issued to. Redeeming uses it up. */
  redeem(ticket: string): Promise<Caller | undefined>;
}
