import assert from "node:assert/strict";
import { test } from "node:test";
import { createClientAddress, networkOf, parseNetwork } from "../../../src/doors/identity/client-address.ts";

const proxies = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"];

function addressOf(
  peer: string | undefined,
  headers: { "x-forwarded-for"?: string; forwarded?: string },
  trusted: readonly string[] = proxies,
): string {
  return createClientAddress(trusted)({ headers, socket: { remoteAddress: peer } });
}

test("X-Forwarded-For is read from the right, past trusted proxies, if the peer is one", () => {
  for (const [peer, header, address] of [
    ["127.0.0.1", "203.0.113.7", "203.0.113.7"],
    ["::ffff:127.0.0.1", "203.0.113.7", "203.0.113.7"],
    ["fd12::1", "203.0.113.7", "203.0.113.7"],
    // The client wrote the left part itself, so it does not count.
    ["127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"],
    ["127.0.0.1", "198.51.100.1,203.0.113.7,10.0.0.2, 10.0.0.1", "203.0.113.7"],
    ["127.0.0.1", "10.0.0.2, 10.0.0.1", "10.0.0.2"],
    ["127.0.0.1", "203.0.113.7:4711", "203.0.113.7"],
    ["127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"],
    ["127.0.0.1", "2001:db8::7", "2001:db8::7"],
    // A value that is no address ends the reading at the nearest valid address.
    ["127.0.0.1", "unknown", "127.0.0.1"],
    ["127.0.0.1", "", "127.0.0.1"],
    ["127.0.0.1", "203.0.113.7, _hidden, 10.0.0.1", "10.0.0.1"],
    ["127.0.0.1", "203.0.113.7, , 10.0.0.1", "10.0.0.1"],
    ["127.0.0.1", "203.0.113.777", "127.0.0.1"],
    ["127.0.0.1", `${"203.0.113.7,".repeat(1_000)}203.0.113.7`, "127.0.0.1"],
    // Headers from an untrusted peer are ignored.
    ["203.0.113.9", "198.51.100.1", "203.0.113.9"],
    ["127.0.0.2", "198.51.100.1", "127.0.0.2"],
    [undefined, "198.51.100.1", ""],
  ] as const)
    assert.equal(addressOf(peer, { "x-forwarded-for": header }), address, `${peer}: ${header}`);
  assert.equal(addressOf("127.0.0.1", { "x-forwarded-for": "198.51.100.1" }, []), "127.0.0.1");
});

test("Forwarded is read the same way", () => {
  for (const [header, address] of [
    ["for=203.0.113.7", "203.0.113.7"],
    ["For=203.0.113.7;proto=https;by=10.0.0.1", "203.0.113.7"],
    ["for=198.51.100.1, for=203.0.113.7", "203.0.113.7"],
    ['for="[2001:db8::7]:4711";by="a,b;\\"c", for=10.0.0.1', "2001:db8::7"],
    ["for=unknown", "127.0.0.1"],
    ["for=203.0.113.7, for=_hidden, for=10.0.0.1", "10.0.0.1"],
    ["for=203.0.113.7, by=10.0.0.3, for=10.0.0.1", "10.0.0.1"],
    ["proto=https", "127.0.0.1"],
    ["203.0.113.7", "127.0.0.1"],
    ['for="203.0.113.7', "127.0.0.1"],
    ["", "127.0.0.1"],
  ] as const)
    assert.equal(addressOf("127.0.0.1", { forwarded: header }), address, header);
  assert.equal(addressOf("203.0.113.9", { forwarded: "for=198.51.100.1" }), "203.0.113.9");
});

test("of two headers that disagree the client wrote one, and neither counts", () => {
  const both = (header: string, forwarded: string) =>
    addressOf("127.0.0.1", { "x-forwarded-for": header, forwarded });
  assert.equal(both("203.0.113.7", "for=203.0.113.7"), "203.0.113.7");
  assert.equal(both("203.0.113.7", "for=198.51.100.1"), "127.0.0.1");
  assert.equal(both("198.51.100.1", "for=203.0.113.7"), "127.0.0.1");
  assert.equal(both("203.0.113.7", "nonsense"), "127.0.0.1");
});

test("entries are addresses and CIDR blocks, and a bad one is named", () => {
  for (const [entry, address, bits] of [
    ["10.0.0.0/8", "10.0.0.0", 8],
    ["192.0.2.1", "192.0.2.1", 32],
    ["::1", "::1", 128],
    ["2001:db8::/32", "2001:db8::", 32],
    ["::ffff:10.0.0.0/104", "10.0.0.0", 8],
    ["0.0.0.0/0", "0.0.0.0", 0],
  ] as const)
    assert.deepEqual(parseNetwork(entry), { address, bits }, entry);
  for (const entry of [
    "",
    "localhost",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "::/129",
    "::ffff:10.0.0.0/8",
    "10.0.0",
    "1/1",
  ]) {
    assert.equal(parseNetwork(entry), undefined, entry);
    assert.throws(() => createClientAddress(["10.0.0.0/8", entry]), {
      name: "RangeError",
      message: `${entry} is neither an IP address nor a CIDR block such as 10.0.0.0/8`,
    });
  }
});

test("a client speaks from an IPv4 address, or from a network of 64 bits", () => {
  for (const [address, network] of [
    ["203.0.113.7", "203.0.113.7"],
    ["::1", "0:0:0:0"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:0DB8:0001:0002::9", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["", ""],
  ] as const)
    assert.equal(networkOf(address), network, address);
});
