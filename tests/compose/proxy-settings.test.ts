import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readSettings } from "../../src/compose/read-settings.ts";
import type { Settings } from "../../src/compose/settings.ts";
import { notesOf } from "./notes-of.ts";
import { refusal } from "./refusal.ts";

const readOf = (env: Record<string, string>, key: keyof Settings) => readSettings([], { env }).settings[key];

describe("a proxy", () => {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
  const refused: readonly (readonly [string, RegExp])[] = [
    ...["socks5h", "socks5", "socks4a", "socks", "quic", "ftp", "file"].map(
      (scheme) =>
        [
          `${scheme}://ada:s3cret@p.example:1080`,
          new RegExp(`: ${scheme}:// is not a supported proxy scheme`),
        ] as const,
    ),
    ...[
      "garbage",
      "p.example",
      "http://",
      "http://p.example:99999",
      "::1:3128",
      ":3128",
      "DIRECT",
      "ada:s3cret@p.example",
    ].map((value) => [value, /: it must be http:\/\/host:port or https:\/\/host:port$/] as const),
    ["http://p.example:3128/proxy.pac", /: it must end with the proxy's port/],
  ];
  for (const name of names) {
    it(`${name}: one that cannot be used is refused by name, and its password is not quoted`, () => {
      for (const [value, told] of refused) {
        const line = refusal([], { [name]: value });
        assert.ok(line.startsWith(`${name}: `), line);
        assert.match(line, told);
        assert.doesNotMatch(line, /s3cret/);
      }
    });
  }

  it("works as tools write it: with a scheme, without one, as an IPv6 address, with credentials", () => {
    for (const [written, read] of [
      ["http://p.example:3128", "http://p.example:3128"],
      ["HTTP://p.example:3128/", "HTTP://p.example:3128/"],
      ["https://p.example", "https://p.example"],
      ["p.example:3128", "http://p.example:3128"],
      ["10.0.0.1:3128", "http://10.0.0.1:3128"],
      ["[::1]:3128", "http://[::1]:3128"],
      ["ada:s3cret@p.example:3128", "http://ada:s3cret@p.example:3128"],
    ] as const)
      assert.equal(readOf({ HTTPS_PROXY: written }, "httpsProxy"), read);
  });

  it("counts in small letters first, and capitals after that", () => {
    assert.equal(readOf({ http_proxy: "http://a:1", HTTP_PROXY: "http://b:1" }, "httpProxy"), "http://a:1");
    assert.equal(readOf({ no_proxy: "a", NO_PROXY: "b" }, "noProxy"), "a");
    assert.equal(readOf({ ALL_PROXY: "http://b:1" }, "allProxy"), "http://b:1");
  });

  it("has exceptions, each of which is told if it covers nothing", () => {
    assert.deepEqual(notesOf({ HTTP_PROXY: "p:1", NO_PROXY: "10.0.0.0/99,ok.example,<local>" }), [
      "NO_PROXY: 10.0.0.0/99 is no name, address or block, and covers nothing",
      "NO_PROXY: <local> is no name, address or block, and covers nothing",
    ]);
  });
});
