import type { IncomingHttpHeaders } from "node:http";
import { isIP, isIPv6 } from "node:net";
import { tokenIn } from "./credentials.ts";
import { forbiddenOrigin, type Refusal, refusals } from "./refusals.ts";

interface AccessOptions {
  /** Origins besides the server's own that may connect, such as `https://app.example`. */
  readonly allowedOrigins: readonly string[];
  /** Host names besides loopback's that requests may be addressed to, with the port if browsers see one. */
  readonly allowedHosts: readonly string[];
  /** Host name or address that the server listens on. */
  readonly host: string;
  /** Everyone is the same caller, so only requests from this machine are allowed. */
  readonly isShared: boolean;
  /** Callers are identified by an application's cookies, which a browser sends for any page. */
  readonly byCookies: boolean;
  /** Token that a page opened from disk must show, because its origin is `null`, like that of any sandboxed frame. */
  readonly pageToken: string;
}

/** Longer than any scheme, host name and port (RFC 1035: 253 characters). Parsing a megabyte would take 50 ms. */
const maxOriginChars = 512;

/** The parts of a request's head that name the server and show the way that the request came. */
interface RequestHead {
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  readonly headersDistinct: NodeJS.Dict<string[]>;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** The parts of a request that identify the page that sent it. */
interface PageHead {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `sec-websocket-protocol` as sent. */
  readonly protocols: string | undefined;
  /** The request carries a valid key, which a page has only from its user. */
  readonly holdsKey: boolean;
}

/**
 * Decides which requests may reach the server, by headers that a page cannot forge. `Host` keeps out pages that rebind their own name to
 * this address. `Origin` keeps out pages of other sites. A request without `Origin` does not come from a page.
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
    // A proxy that ends TLS may send its own name for this server as `Host`.
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
    // With cookies, another application on this machine would act as the logged-in user.
    return isLocal && !byCookies && isLoopback(url.hostname);
  }

  return {
    /** Checks any request: it must be addressed to this server and have come an allowed way. */
    refuseHead({ httpVersion, headers, headersDistinct, socket }: RequestHead): Refusal | undefined {
      const [host, ...more] = headersDistinct.host ?? [];
      // With two `Host` headers, a proxy on the way may have checked the other one.
      const name = more.length === 0 ? hostName(host) : undefined;
      if (name === undefined) return refusals.badHost;
      if (!isServed(name)) return refusals.unservedHost;
      const isDirect = isLoopback(socket.remoteAddress ?? "") && !cameThroughProxy(httpVersion, headers);
      return isShared && !isDirect ? refusals.proxied : undefined;
    },
    /** Checks a WebSocket handshake, or an HTTP request that changes data. */
    refuseOrigin(head: PageHead): Refusal | undefined {
      return originAllowed(head) ? undefined : forbiddenOrigin(head.origin);
    },
  };
}

export type Access = ReturnType<typeof createAccess>;

/** Headers that proxies add and clients have no reason to send, besides all `x-forwarded-` headers. */
const proxyHeaders = ["forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"];

/** Whether a request shows that it came through a proxy. nginx adds no header by default, but speaks HTTP/1.0 to its upstreams. */
function cameThroughProxy(httpVersion: string, headers: IncomingHttpHeaders): boolean {
  if (httpVersion === "1.0") return true;
  return Object.keys(headers).some((name) => name.startsWith("x-forwarded-") || proxyHeaders.includes(name));
}

function isOwn(origin: URL, host: string | undefined): boolean {
  if (host === undefined || host.length > maxOriginChars) return false;
  const own = `${origin.protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === origin.host;
}

/** The name in a `Host` header or a setting, without its port; `undefined` if there is none. */
export function hostName(host: string | undefined): string | undefined {
  if (host === undefined || host.length > maxOriginChars) return undefined;
  if (/[/@?#\\\s]/.test(host) || !URL.canParse(`http://${host}`)) return undefined;
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

/** A host in the form that a URL needs. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** Whether a name is a loopback address or a name that is never looked up in the DNS (RFC 6761). */
export function isLoopback(name: string): boolean {
  const plain = name.replace(/^\[|\]$/g, "").replace(/^::ffff:(?=\d+\.)/, "");
  return (
    plain === "localhost" ||
    plain.endsWith(".localhost") ||
    plain === "::1" ||
    /^127(\.\d{1,3}){3}$/.test(plain)
  );
}

/** The origin of a page in a form to compare; `undefined` if the text is not an origin. */
export function readOrigin(origin: string | undefined): string | undefined {
  if (origin === undefined || origin.length > maxOriginChars || !URL.canParse(origin)) return undefined;
  return new URL(origin).origin;
}

function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < b.length; index += 1) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}
