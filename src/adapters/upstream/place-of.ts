import { BlockList, isIP } from "node:net";

/** A host is on this machine, in a private network, or anywhere else. */
export type Place = "machine" | "network" | "internet";

/** Loopback, and the address that means all addresses of this machine. */
const machine = blocks(["127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128"]);

/** Private (RFC 1918, RFC 4193), link-local (RFC 3927, RFC 4291), and shared by carriers and overlay networks (RFC 6598). */
const network = blocks([
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "100.64.0.0/10",
  "fc00::/7",
  "fe80::/10",
]);

/** Domains of local networks: RFC 6762, RFC 8375, the reserved `internal` (as in `host.docker.internal`), and domains that routers use. */
const networkDomains = [".local", ".home.arpa", ".internal", ".lan", ".localdomain"];

/** The place of an address's host, by its name alone, without a look-up. */
export function placeOf({ hostname }: URL): Place {
  const host = plainHost(hostname);
  const family = isIP(host);
  if (family !== 0) {
    const type = family === 4 ? "ipv4" : "ipv6";
    if (machine.check(host, type)) return "machine";
    return network.check(host, type) ? "network" : "internet";
  }
  if (host === "localhost" || host.endsWith(".localhost") || host === "localhost.localdomain")
    return "machine";
  // A name without a dot is not in the public DNS: it is a container or a nearby machine.
  const isNear = !host.includes(".") || networkDomains.some((domain) => host.endsWith(domain));
  return isNear ? "network" : "internet";
}

/** The host of an address in a form to compare: lower case, without brackets and without the root's dot. */
export function plainHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
}

function blocks(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of networks) {
    const [address = "", bits] = entry.split("/");
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}
