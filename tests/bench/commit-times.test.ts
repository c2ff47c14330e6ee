import assert from "node:assert/strict";
import { it } from "node:test";
import { commitsBetween } from "../../bench/nodes/commit-times.ts";

const { POSITIVE_INFINITY: endless } = Number;

it("the times of commits are those between two readings, placed evenly within their buckets", () => {
  const before = new Map([
    [1, 5],
    [2, 5],
    [endless, 5],
  ]);
  const after = new Map([
    [1, 5],
    [2, 15],
    [endless, 15],
  ]);
  assert.deepEqual(commitsBetween(before, after), { count: 10, p50Ms: 1.5, p99Ms: 1.99 });
  assert.deepEqual(commitsBetween(after, after), { count: 0, p50Ms: 0, p99Ms: 0 });
  const slow = new Map([...after, [endless, 25]]);
  // A bucket without an end tells only its beginning.
  assert.equal(commitsBetween(before, slow).p99Ms, 2);
});
