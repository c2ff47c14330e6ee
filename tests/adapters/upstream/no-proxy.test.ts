import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readNoProxy } from "../../../src/adapters/upstream/no-proxy.ts";

const rows: readonly (readonly [noProxy: string, covered: readonly string[], others: readonly string[]])[] = [
  [
    "",
    ["http://localhost:1", "http://127.3.2.1", "http://[::1]:11434/v1"],
    ["http://10.0.0.1", "https://example.com"],
  ],
  ["*", ["http://example.com", "https://10.0.0.1:9", "http://[2001:db8::1]"], []],
  [
    "example.com",
    ["http://example.com", "https://EXAMPLE.com.", "http://api.example.com:8080"],
    ["http://badexample.com", "http://example.com.evil.org", "http://example.org"],
  ],
  [
    ".example.com",
    ["http://a.example.com", "http://a.b.example.com", "http://example.com"],
    ["http://xexample.com"],
  ],
  ["*.example.com", ["http://a.example.com"], ["http://example.com", "http://xexample.com"]],
  [
    "example.com:8080",
    ["http://example.com:8080", "http://a.example.com:8080"],
    ["http://example.com", "https://example.com"],
  ],
  ["example.com:443", ["https://example.com/v1"], ["http://example.com", "https://example.com:444"]],
  ["example.com:80", ["http://example.com"], ["https://example.com"]],
  ["10.1.2.3", ["http://10.1.2.3", "https://10.1.2.3:9"], ["http://10.1.2.30", "http://a10.1.2.3.example"]],
  ["10.1.2.3:9", ["http://10.1.2.3:9"], ["http://10.1.2.3"]],
  ["10.0.0.0/8", ["http://10.200.3.4:11434"], ["http://11.0.0.1", "http://ten.example"]],
  ["192.168.1.4/32", ["http://192.168.1.4"], ["http://192.168.1.5"]],
  ["172.16.0.0/12", ["http://172.31.9.9"], ["http://172.32.0.1"]],
  ["192.168.1.10-192.168.1.20", ["http://192.168.1.10", "http://192.168.1.20"], ["http://192.168.1.21"]],
  ["2001:db8::7", ["http://[2001:db8::7]:8080", "http://[2001:0db8:0::7]"], ["http://[2001:db8::8]"]],
  ["[2001:db8::7]", ["http://[2001:db8::7]"], ["http://[2001:db8::8]"]],
  ["[2001:db8::7]:8080", ["http://[2001:db8::7]:8080"], ["http://[2001:db8::7]"]],
  ["fd00::/8", ["http://[fd12::1]"], ["http://[fc12::1]"]],
  ["[fd00::]/8", ["http://[fd12::1]"], ["http://[2001:db8::1]"]],
  ["ollama", ["http://ollama:11434"], ["http://ollama2", "http://xollama"]],
  [
    "a.example, b.example  c.example,,",
    ["http://a.example", "http://b.example", "http://c.example"],
    ["http://d.example"],
  ],
  ["LOCALHOST,Example.COM", ["http://example.com"], ["http://example.org"]],
];

describe("NO_PROXY", () => {
  for (const [noProxy, covered, others] of rows) {
    it(`${JSON.stringify(noProxy)} covers the hosts that it names, and no others`, () => {
      const { covers, unreadable } = readNoProxy(noProxy);
      for (const url of covered) assert.ok(covers(new URL(url)), url);
      for (const url of others) assert.ok(!covers(new URL(url)), url);
      assert.deepEqual(unreadable, []);
    });
  }

  it("tells which entries it cannot read", () => {
    const entries = [
      "10.0.0.0/33",
      "fd00::/129",
      "1.2.3",
      "<local>",
      "http://x",
      "a..b",
      "1.2.3.9-1.2.3.1",
      "[::1",
      "10.*",
      "a:b:c",
    ];
    assert.deepEqual(readNoProxy(`${entries.join(",")},ok.example`).unreadable, entries);
  });
});
