import { createHash } from "node:crypto";

/** Where a request may carry a credential, and where it comes from. */
export interface Credentials {
  /** The `authorization` header. */
  readonly authorization: string | undefined;
  /** The `sec-websocket-protocol` header, in which browsers can send a key. */
  readonly protocols?: string | undefined;
  /** A one-time ticket out of the address. */
  readonly ticket?: string | undefined;
  /** The client's address. */
  readonly address: string;
}

/** What a request shows of itself. */
export type Credential =
  | { readonly type: "none" }
  | { readonly type: "secret"; readonly secret: string }
  | { readonly type: "ticket"; readonly ticket: string };

/** Prefix of the subprotocol that carries a key or the page's token. */
export const tokenProtocol = "troupe.token.";

/** A longer list of subprotocols is not searched for a token: each name in it would be a string of its own. */
const maxProtocolsChars = 8 * 1024;

/** The one credential that counts: the header before the subprotocol, and that before the ticket. */
export function credentialIn({ authorization, protocols, ticket }: Credentials): Credential {
  const secret = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? tokenIn(protocols);
  if (secret !== undefined) return { type: "secret", secret };
  return ticket === undefined ? { type: "none" } : { type: "ticket", ticket };
}

/** The only token among the offered subprotocols. */
export function tokenIn(protocols: string | undefined): string | undefined {
  if (protocols === undefined || protocols.length > maxProtocolsChars) return undefined;
  const tokens = protocols
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name.startsWith(tokenProtocol));
  return tokens.length === 1 ? tokens[0]?.slice(tokenProtocol.length) : undefined;
}

/** All that is kept of a secret. Looking a digest up takes no longer for a secret that is almost right. */
export function digest(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
