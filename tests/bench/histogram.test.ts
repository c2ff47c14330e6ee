import assert from "node:assert/strict";
import { it } from "node:test";
import { createHistogram, spreadOf } from "../../bench/histogram.ts";

it("a histogram gives quantiles to a quarter of a millisecond, and starts again when cleared", () => {
  const histogram = createHistogram();
  assert.deepEqual(spreadOf(histogram), { count: 0, p50Ms: 0, p99Ms: 0 });
  for (let ms = 1; ms <= 100; ms += 1) histogram.add(ms);
  histogram.add(-5);
  histogram.add(1_000_000);
  assert.equal(histogram.quantileMs(0), 0);
  assert.equal(histogram.quantileMs(0.5), 50);
  assert.equal(histogram.quantileMs(1), 20_000);
  histogram.clear();
  assert.equal(histogram.count, 0);
});
