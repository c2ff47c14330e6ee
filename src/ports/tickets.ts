import type { Caller } from "./caller.ts";

/** Tickets that open one socket each. */
export interface Tickets {
  /** A ticket for this caller, good once within its time. */
  issue(caller: Caller): Promise<string>;
  /** Whose the ticket was; it is used up with that. */
  redeem(ticket: string): Promise<Caller | undefined>;
}
