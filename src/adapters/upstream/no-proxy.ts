import { BlockList, isIP } from "node:net";
import { placeOf, plainHost } from "./place-of.ts";

/** The addresses to call without a proxy. */
interface NoProxy {
  covers(url: URL): boolean;
  /** Entries that cover no address because they are not a name, address, block or range. */
  readonly unreadable: readonly string[];
}

type Rule = (host: string, port: string) => boolean;

const everything: Rule = () => true;
const portOf = (url: URL) => url.port || (url.protocol === "https:" ? "443" : "80");

/**
 * Reads `NO_PROXY` like the tools that know most of its forms (curl, Go, Node). Entries are separated by commas or spaces: `*`, a name
 * (which covers the names below it too), `.name`, `*.name`, an address, `[IPv6]`, a CIDR block, or a range `1.2.3.4-1.2.3.9`. Names and
 * addresses may have a `:port`. Loopback is always covered, because the proxy's own loopback is another machine.
 */
export function readNoProxy(text: string): NoProxy {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== "");
  const read = entries.map((entry) => ({ entry, rule: readEntry(entry.toLowerCase()) }));
  const rules = read.flatMap(({ rule }) => (rule === undefined ? [] : [rule]));
  return {
    covers(url) {
      if (placeOf(url) === "machine") return true;
      const host = plainHost(url.hostname);
      return rules.some((rule) => rule(host, portOf(url)));
    },
    unreadable: read.filter(({ rule }) => rule === undefined).map(({ entry }) => entry),
  };
}

function readEntry(entry: string): Rule | undefined {
  if (entry === "*") return everything;
  const [, bracketed, bits, port] = /^\[([\da-f:.]+)\](?:\/(\d{1,3}))?(?::(\d{1,5}))?$/.exec(entry) ?? [];
  if (bracketed !== undefined) {
    if (bits !== undefined) return port === undefined ? readBlock(bracketed, bits) : undefined;
    return isIP(bracketed) === 6 ? at(readBlock(bracketed, "128"), port) : undefined;
  }
  if (isIP(entry) !== 0) return readBlock(entry, isIP(entry) === 4 ? "32" : "128");
  const [, address = "", blockBits] = /^([\da-f:.]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (blockBits !== undefined) return readBlock(address, blockBits);
  const [, first, last = ""] = /^([\d.]+)-([\d.]+)$/.exec(entry) ?? [];
  if (first !== undefined) return readRange(first, last);
  const [, written = "", namePort] = /^([^:]*)(?::(\d{1,5}))?$/.exec(entry) ?? [];
  return at(readName(written), namePort);
}

function readName(written: string): Rule | undefined {
  if (isIP(written) === 4) return readBlock(written, "32");
  const [, star, name = ""] = /^(\*?\.)?([\w-]+(?:\.[\w-]+)*)\.?$/.exec(written) ?? [];
  // Digits and dots that are not an address would never match.
  if (name === "" || /^[\d.]+$/.test(name)) return undefined;
  return (host) => host.endsWith(`.${name}`) || (host === name && star !== "*.");
}

function readBlock(address: string, bits: string): Rule | undefined {
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family === 4 ? "ipv4" : "ipv6");
  return (host) => isIn(list, host);
}

function readRange(first: string, last: string): Rule | undefined {
  if (isIP(first) !== 4 || isIP(last) !== 4) return undefined;
  const list = new BlockList();
  try {
    list.addRange(first, last, "ipv4");
  } catch {
    return undefined; // The range ends before it starts.
  }
  return (host) => isIn(list, host);
}

function isIn(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 4 ? "ipv4" : "ipv6");
}

function at(rule: Rule | undefined, port: string | undefined): Rule | undefined {
  if (rule === undefined || port === undefined) return rule;
  return (host, asked) => asked === port && rule(host, asked);
}
