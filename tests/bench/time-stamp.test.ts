import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ageOfToken, stampToken, tokenBytes } from "../../bench/time-stamp.ts";

describe("a token's time stamp", () => {
  it("gives its age to a tenth of a millisecond, at any place", () => {
    const bytes = Buffer.from(`{"delta":"${stampToken(1_234.5)}"}`);
    const index = bytes.indexOf("~");
    assert.equal(ageOfToken(bytes, index, 1_234.5), 0);
    assert.equal(ageOfToken(bytes, index, 1_300), 65.5);
  });

  it("goes on when the count wraps around", () => {
    const wrapMs = 32 ** 4 / 10;
    const bytes = Buffer.from(stampToken(wrapMs - 1));
    assert.equal(bytes.length, tokenBytes);
    assert.equal(ageOfToken(bytes, 0, wrapMs + 2), 3);
  });

  it("is unreadable when something was put between its digits", () => {
    assert.equal(ageOfToken(Buffer.from("~0\r\n1"), 0, 0), undefined);
  });
});
