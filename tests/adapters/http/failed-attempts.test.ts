import assert from "node:assert/strict";
import { test } from "node:test";
import { sourceOf } from "../../../src/adapters/http/failed-attempts.ts";

test("what one peer can speak from counts as one source", () => {
  for (const [address, source] of [
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::1", "0:0:0:0"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:0DB8:0001:0002::9", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["", ""],
  ] as const)
    assert.equal(sourceOf(address), source, address);
});
