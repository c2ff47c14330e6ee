import assert from "node:assert/strict";
import { it } from "node:test";
import { slopeOf } from "./slope-of.ts";

it("finds the slope of a straight line without an error", () => {
  assert.deepEqual(slopeOf([7, 9, 11, 13]), { slope: 2, standardError: 0 });
});

it("gives the standard error of points beside their line", () => {
  const { slope, standardError } = slopeOf([1, 3, 2, 4]);
  assert.ok(Math.abs(slope - 0.8) < 1e-9, String(slope));
  assert.ok(Math.abs(standardError - Math.sqrt(1.8 / 2 / 5)) < 1e-9, String(standardError));
});
