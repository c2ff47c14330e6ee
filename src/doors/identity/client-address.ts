import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIPv4, isIPv6 } from "node:net";

/** The parts of a request that tell where it comes from. */
interface PeerHead {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** Returns the address of the client that sent a request; empty if the connection has none, like a Unix socket. */
export type ClientAddress = (request: PeerHead) => string;

/**
 * Reads the peer's address or, if the peer is a trusted proxy, the address in its `X-Forwarded-For` or `Forwarded` header. The header is
 * read from the right, past trusted proxies only, because the client may have written everything further left. A value that is not an
 * address ends the reading. If both headers exist and disagree, one of them was passed on unchecked, and neither counts. Throws a
 * `RangeError` that names a bad entry of `trustedProxies`.
 */
export function createClientAddress(trustedProxies: readonly string[]): ClientAddress {
  const trusted = new BlockList();
  for (const entry of trustedProxies) {
    const network = parseNetwork(entry);
    if (network === undefined) throw new RangeError(networkFault(entry));
    trusted.addSubnet(network.address, network.bits, familyOf(network.address));
  }
  const isTrusted = (address: string) => address !== "" && trusted.check(address, familyOf(address));

  function follow(peer: string, hops: readonly (string | undefined)[]): string {
    let nearest = peer;
    for (const hop of hops.toReversed()) {
      if (hop === undefined || !isTrusted(nearest)) break;
      nearest = hop;
    }
    return nearest;
  }

  return ({ headers, socket }) => {
    const peer = plainAddress(socket.remoteAddress ?? "");
    if (trustedProxies.length === 0 || !isTrusted(peer)) return peer;
    const found = [readForwardedFor(headers["x-forwarded-for"]), readForwarded(headers.forwarded)].flatMap(
      (hops) => (hops === undefined ? [] : [follow(peer, hops)]),
    );
    return new Set(found.map(networkOf)).size === 1 ? (found[0] ?? peer) : peer;
  };
}

/** Parses an address or a CIDR block of the settings; `undefined` for any other text. */
export function parseNetwork(entry: string): { readonly address: string; readonly bits: number } | undefined {
  const [written = "", bits, ...more] = entry.split("/");
  const address = plainAddress(written);
  if (more.length > 0 || !isAddress(address)) return undefined;
  const maxBits = isIPv4(address) ? 32 : 128;
  if (bits === undefined) return { address, bits: maxBits };
  // In a mapped address, the 96 bits of the prefix come first.
  const own = Number(bits) - (address === written || isIPv6(address) ? 0 : 96);
  return /^\d{1,3}$/.test(bits) && own >= 0 && own <= maxBits ? { address, bits: own } : undefined;
}

export function networkFault(entry: string): string {
  return `${entry.slice(0, 100)} is neither an IP address nor a CIDR block such as 10.0.0.0/8`;
}

/** The network of one client: an IPv4 address, or the first 64 bits of an IPv6 address, because a provider gives those to one customer. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const missing = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(missing).fill("0"), ...groups(tail ?? "")];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}

/** Removes the IPv6 prefix of a mapped IPv4 address, and the zone. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
}

function isAddress(text: string): boolean {
  return isIPv4(text) || isIPv6(text);
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}

/** A longer header is malformed: a hundred proxies do not fill it, and each value takes memory as a string of its own. */
const maxHeaderChars = 8 * 1024;

/** The addresses of `X-Forwarded-For`, with `undefined` for each value that is not an address. */
function readForwardedFor(header: string | string[] | undefined): (string | undefined)[] | undefined {
  if (header === undefined) return undefined;
  if (header.length > maxHeaderChars) return [];
  return String(header)
    .split(",")
    .map((value) => parseNode(value.trim()));
}

/** An element of `Forwarded` (RFC 7239, 4): pairs of a token and a token or a quoted string. */
const forwardedPair =
  /\s*([!#$%&'*+.^_`|~\w-]+)=(?:([!#$%&'*+.^_`|~\w:[\]-]+)|"((?:[^"\\]|\\.)*)")\s*([;,]|$)/y;

/** The `for` addresses of `Forwarded`, with `undefined` for each that is not an address; empty if the header is malformed. */
function readForwarded(header: string | undefined): (string | undefined)[] | undefined {
  if (header === undefined) return undefined;
  if (header.length > maxHeaderChars) return [];
  const hops: (string | undefined)[] = [];
  let hop: string | undefined;
  const pair = new RegExp(forwardedPair);
  while (pair.lastIndex < header.length) {
    const [, name, token, quoted, end] = pair.exec(header) ?? [];
    if (name === undefined) return [];
    if (name.toLowerCase() === "for") hop = parseNode(token ?? quoted ?? "");
    if (end === ";") continue;
    hops.push(hop);
    hop = undefined;
  }
  return hops;
}

/** The address of a value that may have a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`. */
function parseNode(value: string): string | undefined {
  const [, bracketed, withPort] = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::\d{1,5})?$/i.exec(value) ?? [];
  const address = plainAddress(bracketed ?? withPort ?? value);
  return isAddress(address) ? address : undefined;
}
