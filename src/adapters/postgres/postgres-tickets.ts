import type { Clock } from "../../ports/clock.ts";
import { check } from "../../ports/stored-event.ts";
import { storedCaller } from "../../ports/stored-shapes.ts";
import { type Tickets, ticketLifeMs } from "../../ports/tickets.ts";
import { sha256 } from "../system/system.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";

/** Max unused tickets of one caller, or of one address without keys; above it the oldest of these are dropped. */
const maxPerCaller = 100;
const life = `interval '${ticketLifeMs} milliseconds'`;

const statements = named({
  // Each new ticket also deletes a few that have run out, so that they never pile up. A used one stays for at least a life after its use.
  issueTicket: `WITH dropped AS (
      DELETE FROM tickets WHERE digest IN (
        (SELECT digest FROM tickets WHERE holder = $2 ORDER BY issued DESC OFFSET ${maxPerCaller - 1})
        UNION ALL
        (SELECT digest FROM tickets WHERE issued <= clock_timestamp() - 3 * ${life} ORDER BY issued LIMIT 10)))
    INSERT INTO tickets (digest, holder, caller) VALUES ($1, $2, $3)
    ON CONFLICT (digest) DO NOTHING`,
  // The same redemption may come twice. Dated back, a used ticket is dropped before all valid ones of its holder.
  redeemTicket: `UPDATE tickets SET used_by = $2, issued = CASE WHEN used_by IS NULL THEN issued - ${life} ELSE issued END
    WHERE digest = $1 AND (used_by = $2 OR (used_by IS NULL AND issued > clock_timestamp() - ${life})) RETURNING caller`,
});

interface PostgresTicketOptions {
  readonly store: PostgresStore;
  readonly clock: Pick<Clock, "newId">;
}

/** Tickets in the database, which any process can redeem once. They age by the database's clock. Held as digests only. */
export function createPostgresTickets({ store, clock }: PostgresTicketOptions): Tickets {
  return {
    async issue(caller) {
      const ticket = clock.newId();
      // A caller without a key may be a new one for each ticket, but has the same address.
      const holder = caller.groups?.[0]?.id ?? caller.keyId;
      await store.query(caller.owner, statements.issueTicket, [
        sha256(ticket),
        holder,
        JSON.stringify(caller),
      ]);
      return ticket;
    },
    async redeem(ticket) {
      const [row] = await store.query("", statements.redeemTicket, [sha256(ticket), clock.newId()]);
      if (row === undefined) return undefined;
      const caller: unknown = JSON.parse(String(row.caller));
      check(storedCaller, caller);
      return caller;
    },
  };
}
