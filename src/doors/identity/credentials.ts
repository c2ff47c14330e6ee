import { createHash } from "node:crypto";

/** The parts of a request that may carry a credential, and the client's address. */
export interface Credentials {
  /** The `authorization` header. */
  readonly authorization: string | undefined;
  /** The `sec-websocket-protocol` header, in which browsers can send a key. */
  readonly protocols?: string | undefined;
  /** A one-time ticket from the request's URL. */
  readonly ticket?: string | undefined;
  /** The client's address. */
  readonly address: string;
}

/** The credential of a request. */
export type Credential =
  | { readonly type: "none" }
  | { readonly type: "secret"; readonly secret: string }
  | { readonly type: "ticket"; readonly ticket: string };

/** Prefix of the subprotocol that carries a key or the page's token. */
export const tokenProtocol = "troupe.token.";

/** A longer list of subprotocols is not searched for a token, because each name in it would take memory as a string of its own. */
const maxProtocolsChars = 8 * 1024;

/** The one credential that counts: the header first, then the subprotocol, then the ticket. */
export function credentialIn({ authorization, protocols, ticket }: Credentials): Credential {
  const secret = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? tokenIn(protocols);
  if (secret !== undefined) return { type: "secret", secret };
  return ticket === undefined ? { type: "none" } : { type: "ticket", ticket };
}

/** The token among the offered subprotocols; `undefined` if there is not exactly one. */
export function tokenIn(protocols: string | undefined): string | undefined {
  if (protocols === undefined || protocols.length > maxProtocolsChars) return undefined;
  const tokens = protocols
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name.startsWith(tokenProtocol));
  return tokens.length === 1 ? tokens[0]?.slice(tokenProtocol.length) : undefined;
}

/** The digest of a secret, which is stored in its place. A look-up by digest takes no longer for a nearly right secret. */
export function digest(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
