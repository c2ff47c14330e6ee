import { createHash } from "node:crypto";
import type { Caller } from "../../ports/caller.ts";
import type { Clock } from "../../ports/clock.ts";

/** A refusal of a request, as an HTTP status. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

/** Where a request may carry a credential. */
export interface Credentials {
  /** The `authorization` header. */
  readonly authorization: string | undefined;
  /** The `sec-websocket-protocol` header, in which browsers can send a key. */
  readonly protocols?: string | undefined;
  /** A one-time ticket out of the address. */
  readonly ticket?: string | undefined;
}

export interface CallersOptions {
  readonly clock: Clock;
  /** Owners and their keys; one owner may have several. Without any, everyone is the same anonymous caller. */
  readonly keys: readonly { readonly owner: string; readonly key: string }[];
}

/** Until there are keys, everyone is the same caller. */
export const anonymous: Caller = { owner: "anonymous", keyId: "anonymous", limits: {} };
/** Prefix of the subprotocol that carries a key or the page's token. */
const tokenProtocol = "troupe.token.";
/** How long a ticket can be used, once: it stands in an address, and addresses end in logs. */
export const ticketLifeMs = 30_000;
/** Most tickets that wait to be used; the oldest give way. */
const mostTickets = 10_000;

const unauthenticated: Refusal = { status: 401, reason: "Unauthorized" };

/** The one path from a request to its caller, for the socket and for HTTP. Keys are held as digests only. */
export function createCallers({ clock, keys }: CallersOptions) {
  const known = new Map(
    keys.map(({ owner, key }): [string, Caller] => {
      const keyDigest = digest(key);
      return [keyDigest, { owner, keyId: idOf(keyDigest), limits: {} }];
    }),
  );
  const tickets = new Map<string, { readonly caller: Caller; readonly validUntilMs: number }>();

  function redeem(ticket: string): Caller | undefined {
    const found = tickets.get(digest(ticket));
    tickets.delete(digest(ticket));
    return found !== undefined && clock.now() <= found.validUntilMs ? found.caller : undefined;
  }

  function callerOf({ authorization, protocols, ticket }: Credentials): Caller | undefined {
    const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    if (bearer !== undefined) return known.get(digest(bearer));
    const token = tokenIn(protocols);
    if (token !== undefined) return known.get(digest(token));
    return ticket === undefined ? undefined : redeem(ticket);
  }

  return {
    /** Whether a caller needs a key. */
    needsKey: known.size > 0,
    identify(credentials: Credentials): Caller | Refusal {
      return known.size === 0 ? anonymous : (callerOf(credentials) ?? unauthenticated);
    },
    /** A ticket that opens one socket for this caller, within `ticketLifeMs`. */
    issueTicket(caller: Caller): string {
      const ticket = clock.newId();
      const [oldest] = tickets.keys();
      if (tickets.size >= mostTickets && oldest !== undefined) tickets.delete(oldest);
      tickets.set(digest(ticket), { caller, validUntilMs: clock.now() + ticketLifeMs });
      return ticket;
    },
  };
}

export type Callers = ReturnType<typeof createCallers>;

/** The only token among the offered subprotocols. */
export function tokenIn(protocols: string | undefined): string | undefined {
  const tokens = (protocols ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name.startsWith(tokenProtocol));
  return tokens.length === 1 ? tokens[0]?.slice(tokenProtocol.length) : undefined;
}

/** The name of a key that stands in the environment: made of its digest, which a name that is shown must not give away. */
function idOf(keyDigest: string): string {
  return `key-${createHash("sha256").update(keyDigest).digest("hex").slice(0, 16)}`;
}

/** Looking a digest up takes no longer for a key that is almost right. */
function digest(secret: string): string {
  return createHash("sha256").update(secret).digest("base64");
}
