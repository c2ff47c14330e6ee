import type { Caller } from "./caller.ts";

/** Tickets, each of which opens one socket. */
export interface Tickets {
  /** A ticket for this caller, valid once and for a limited time. */
  issue(caller: Caller): Promise<string>;
  /** The caller that the ticket was issued to. Redeeming uses it up. */
  redeem(ticket: string): Promise<Caller | undefined>;
}
