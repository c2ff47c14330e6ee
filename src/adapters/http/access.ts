import { isIP } from "node:net";
import { tokenIn } from "./credentials.ts";
import type { Refusal } from "./refusals.ts";

export interface AccessOptions {
  /** Origins beside the server's own that may connect, as `https://app.example`. */
  readonly allowedOrigins: readonly string[];
  /** Host names beside loopback's that requests may be addressed to. */
  readonly allowedHosts: readonly string[];
  /** Only this machine can reach the server. */
  readonly loopbackOnly: boolean;
  /** What a page opened from disk must show, since its origin is `null` like that of any sandboxed frame. */
  readonly pageToken: string;
}

/** Longer than any name of a host with a scheme and a port (RFC 1035: 253 characters). Parsing a megabyte takes 50 ms. */
const maxOriginChars = 512;

interface Head {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `sec-websocket-protocol` as sent. */
  readonly protocols: string | undefined;
  /** The request carries a valid key, which no page has that its user did not give it to. */
  readonly holdsKey: boolean;
}

/**
 * Who may talk to the server, judged by what a browser cannot forge: `Host` keeps out pages that rebind their own name to this
 * address, `Origin` keeps out pages of other sites. A request without `Origin` does not come from a page.
 */
export function createAccess({ allowedOrigins, allowedHosts, loopbackOnly, pageToken }: AccessOptions) {
  const origins = new Set(allowedOrigins.map((origin) => new URL(origin).origin));
  const hosts = new Set([...allowedHosts, ...[...origins].map((origin) => new URL(origin).hostname)]);

  function refuseHost(host: string | undefined): Refusal | undefined {
    const name = hostName(host);
    if (name === undefined) return { status: 400, reason: "Bad Host" };
    if (isLoopback(name) || hosts.has(name)) return undefined;
    if (!loopbackOnly && isIP(name) !== 0) return undefined;
    return { status: 421, reason: "Misdirected Request" };
  }

  function originAllowed({ host, origin, protocols, holdsKey }: Head): boolean {
    if (origin === undefined) return true;
    if (origin === "null") return holdsKey || equalInConstantTime(tokenIn(protocols) ?? "", pageToken);
    if (origin.length > maxOriginChars || !URL.canParse(origin)) return false;
    const url = new URL(origin);
    if (url.origin !== origin.toLowerCase() || !/^https?:$/.test(url.protocol)) return false;
    if (url.host === host?.toLowerCase() || origins.has(url.origin)) return true;
    return loopbackOnly && isLoopback(url.hostname);
  }

  function refuseOrigin(head: Head): Refusal | undefined {
    return originAllowed(head) ? undefined : { status: 403, reason: "Forbidden Origin" };
  }

  return {
    /** For any HTTP request. */
    refuseHost,
    /** For an HTTP request that changes something. */
    refuseOrigin,
    /** For a WebSocket handshake. */
    refuseHandshake(head: Head): Refusal | undefined {
      return refuseHost(head.host) ?? refuseOrigin(head);
    },
  };
}

export type Access = ReturnType<typeof createAccess>;

function hostName(host: string | undefined): string | undefined {
  if (host === undefined || host.length > maxOriginChars) return undefined;
  if (/[/@?#\\\s]/.test(host) || !URL.canParse(`http://${host}`)) return undefined;
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

/** Names that no DNS server is asked about (RFC 6761) and the loopback addresses. */
export function isLoopback(name: string): boolean {
  const plain = name.replace(/^\[|\]$/g, "");
  return (
    plain === "localhost" ||
    plain.endsWith(".localhost") ||
    plain === "::1" ||
    /^127(\.\d{1,3}){3}$/.test(plain)
  );
}

function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < b.length; index += 1) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}
