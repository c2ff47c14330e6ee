import assert from "node:assert/strict";
import { it } from "node:test";
import { contentHash } from "../../src/server/start-turn.ts";

it("the digest of a request's content depends on its JSON, but not on the order of keys", () => {
  const text = (json: string) => contentHash(JSON.parse(json), (digested) => digested);
  const sorted = '{"9":3,"10":2,"__proto__":{"a":1,"b":2},"a":[{"c":1,"d":2},null],"z":"\\ud800"}';
  assert.equal(text(sorted), sorted);
  assert.equal(
    text(String.raw`{"z":"\ud800","10":2,"a":[{"d":2,"c":1},null],"__proto__":{"b":2,"a":1},"9":3}`),
    sorted,
  );
  assert.notEqual(text('{"a":[1,2]}'), text('{"a":[2,1]}'));
});
