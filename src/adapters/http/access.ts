import type { IncomingHttpHeaders } from "node:http";
import { isIP, isIPv6 } from "node:net";
import { tokenIn } from "./credentials.ts";
import { forbiddenOrigin, type Refusal, refusals } from "./refusals.ts";

export interface AccessOptions {
  /** Origins beside the server's own that may connect, as `https://app.example`. */
  readonly allowedOrigins: readonly string[];
  /** Host names beside loopback's that requests may be addressed to, with a port where browsers see one. */
  readonly allowedHosts: readonly string[];
  /** Where the server listens. */
  readonly host: string;
  /** Everyone is the same caller, so that nobody may come from beyond this machine. */
  readonly isShared: boolean;
  /** Callers are known by the cookies of an application, which a browser sends along for any page. */
  readonly byCookies: boolean;
  /** What a page opened from disk must show, since its origin is `null` like that of any sandboxed frame. */
  readonly pageToken: string;
}

/** Longer than any name of a host with a scheme and a port (RFC 1035: 253 characters). Parsing a megabyte takes 50 ms. */
const maxOriginChars = 512;

/** The head of a request, as far as it says to whom and over what way it came. */
export interface RequestHead {
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  readonly headersDistinct: NodeJS.Dict<string[]>;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** What a page shows of itself. */
interface PageHead {
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
export function createAccess({
  allowedOrigins,
  allowedHosts,
  host,
  isShared,
  byCookies,
  pageToken,
}: AccessOptions) {
  const isLocal = isLoopback(host);
  const origins = new Set([
    ...allowedOrigins.map((origin) => new URL(origin).origin),
    // A proxy that ends TLS may send the name by which it knows this server as `Host`.
    ...allowedHosts.map((name) => new URL(`https://${urlHost(name)}`).origin),
  ]);
  const names = new Set([...allowedHosts, host].map((name) => hostName(urlHost(name))));
  for (const origin of origins) names.add(hostName(new URL(origin).host));

  function isServed(name: string): boolean {
    return isLoopback(name) || names.has(name) || (!isLocal && isIP(name) !== 0);
  }

  function originAllowed({ host, origin, protocols, holdsKey }: PageHead): boolean {
    if (origin === undefined) return true;
    if (origin === "null" && byCookies) return false;
    if (origin === "null") return holdsKey || equalInConstantTime(tokenIn(protocols) ?? "", pageToken);
    if (origin.length > maxOriginChars || !URL.canParse(origin)) return false;
    const url = new URL(origin);
    if (url.origin !== origin.toLowerCase() || !/^https?:$/.test(url.protocol)) return false;
    if (isOwn(url, host) || origins.has(url.origin)) return true;
    // With cookies another application of this machine would act as whoever is logged in.
    return isLocal && !byCookies && isLoopback(url.hostname);
  }

  return {
    /** For any request: whether it is for this server, and may come the way it came. */
    refuseHead({ httpVersion, headers, headersDistinct, socket }: RequestHead): Refusal | undefined {
      const [host, ...more] = headersDistinct.host ?? [];
      // With two hosts it is anyone's guess which one a proxy on the way has looked at.
      const name = more.length === 0 ? hostName(host) : undefined;
      if (name === undefined) return refusals.badHost;
      if (!isServed(name)) return refusals.unservedHost;
      const isDirect = isLoopback(socket.remoteAddress ?? "") && !cameThroughProxy(httpVersion, headers);
      return isShared && !isDirect ? refusals.proxied : undefined;
    },
    /** For a WebSocket handshake, and an HTTP request that changes something. */
    refuseOrigin(head: PageHead): Refusal | undefined {
      return originAllowed(head) ? undefined : forbiddenOrigin(head.origin);
    },
  };
}

export type Access = ReturnType<typeof createAccess>;

/** Headers that a proxy adds and no client has a reason to send, beside all that begin with `x-forwarded-`. */
const proxyHeaders = ["forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"];

/** Whether a request shows that a proxy passed it on. nginx adds no header unless told, but speaks HTTP/1.0 to its upstreams. */
function cameThroughProxy(httpVersion: string, headers: IncomingHttpHeaders): boolean {
  if (httpVersion === "1.0") return true;
  return Object.keys(headers).some((name) => name.startsWith("x-forwarded-") || proxyHeaders.includes(name));
}

function isOwn(origin: URL, host: string | undefined): boolean {
  if (host === undefined || host.length > maxOriginChars) return false;
  const own = `${origin.protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === origin.host;
}

/** The name in a `Host` header or in the settings, without its port; `undefined` if there is none. */
export function hostName(host: string | undefined): string | undefined {
  if (host === undefined || host.length > maxOriginChars) return undefined;
  if (/[/@?#\\\s]/.test(host) || !URL.canParse(`http://${host}`)) return undefined;
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

/** A host as it stands in a URL. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** Names that no DNS server is asked about (RFC 6761) and the loopback addresses. */
export function isLoopback(name: string): boolean {
  const plain = name.replace(/^\[|\]$/g, "").replace(/^::ffff:(?=\d+\.)/, "");
  return (
    plain === "localhost" ||
    plain.endsWith(".localhost") ||
    plain === "::1" ||
    /^127(\.\d{1,3}){3}$/.test(plain)
  );
}

/** The origin of a page as it is compared; `undefined` for text that is none. */
export function readOrigin(origin: string | undefined): string | undefined {
  if (origin === undefined || origin.length > maxOriginChars || !URL.canParse(origin)) return undefined;
  return new URL(origin).origin;
}

function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < b.length; index += 1) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}
