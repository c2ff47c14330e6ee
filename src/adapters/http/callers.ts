import { createHash } from "node:crypto";
import type { Clock } from "../../ports/clock.ts";

/** A refusal of a request, as an HTTP status. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

/** Who a caller is: what is kept under this name is theirs. */
export interface Identity {
  readonly owner: string;
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
export const anonymousOwner = "anonymous";
/** Prefix of the subprotocol that carries a key or the page's token. */
const tokenProtocol = "troupe.token.";
/** How long a ticket can be used, once: it stands in an address, and addresses end in logs. */
export const ticketLifeMs = 30_000;
/** Most tickets that wait to be used; the oldest give way. */
const mostTickets = 10_000;

const unauthenticated: Refusal = { status: 401, reason: "Unauthorized" };

/** The one path from a request to its caller, for the socket and for HTTP. Keys are held as digests only. */
export function createCallers({ clock, keys }: CallersOptions) {
  const owners = new Map(keys.map(({ owner, key }) => [digest(key), owner]));
  const tickets = new Map<string, { readonly owner: string; readonly validUntilMs: number }>();

  function redeem(ticket: string): string | undefined {
    const found = tickets.get(digest(ticket));
    tickets.delete(digest(ticket));
    return found !== undefined && clock.now() <= found.validUntilMs ? found.owner : undefined;
  }

  function ownerOf({ authorization, protocols, ticket }: Credentials): string | undefined {
    const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    if (bearer !== undefined) return owners.get(digest(bearer));
    const token = tokenIn(protocols);
    if (token !== undefined) return owners.get(digest(token));
    return ticket === undefined ? undefined : redeem(ticket);
  }

  return {
    /** Whether a caller needs a key. */
    needsKey: owners.size > 0,
    identify(credentials: Credentials): Identity | Refusal {
      if (owners.size === 0) return { owner: anonymousOwner };
      const owner = ownerOf(credentials);
      return owner === undefined ? unauthenticated : { owner };
    },
    /** A ticket that opens one socket for this owner, within `ticketLifeMs`. */
    issueTicket(owner: string): string {
      const ticket = clock.newId();
      const [oldest] = tickets.keys();
      if (tickets.size >= mostTickets && oldest !== undefined) tickets.delete(oldest);
      tickets.set(digest(ticket), { owner, validUntilMs: clock.now() + ticketLifeMs });
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

/** Looking a digest up takes no longer for a key that is almost right. */
function digest(secret: string): string {
  return createHash("sha256").update(secret).digest("base64");
}
