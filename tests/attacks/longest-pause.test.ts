import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { longestPause } from "../long/attacks/longest-pause.ts";
import { isWhole, sentAtMsIn, steadyWord } from "../long/attacks/steady-words.ts";

const gap = { fromMs: 1_000, toMs: 1_520, sentGapMs: 20 };
const report = { gaps: [gap], stalls: [], text: "", finalText: "", end: "completed" };

describe("the pause that counts in an attack", () => {
  it("is a gap less the rhythm", () => {
    assert.deepEqual(longestPause(report, []), { serverMs: 500, seenMs: 500 });
  });

  it("is not the server's if the provider sent nothing meanwhile", () => {
    const late = { ...report, gaps: [{ ...gap, sentGapMs: 500 }] };
    assert.deepEqual(longestPause(late, []), { serverMs: 20, seenMs: 20 });
  });

  it("is less by the time in which the machine stood still, each moment once and only within the gap", () => {
    const stalls = [
      { fromMs: 900, toMs: 1_100 },
      { fromMs: 1_050, toMs: 1_150 },
      { fromMs: 1_400, toMs: 1_450 },
      { fromMs: 1_500, toMs: 1_600 },
      { fromMs: 3_000, toMs: 9_000 },
    ];
    assert.deepEqual(longestPause(report, stalls), { serverMs: 500 - 150 - 50 - 20, seenMs: 500 });
    assert.deepEqual(longestPause({ ...report, stalls }, stalls), { serverMs: 280, seenMs: 500 });
  });

  it("is the longest of all gaps, after the deductions", () => {
    const other = { fromMs: 5_000, toMs: 5_300, sentGapMs: 20 };
    const stalls = [{ fromMs: 1_000, toMs: 1_400 }];
    assert.deepEqual(longestPause({ ...report, gaps: [gap, other] }, stalls), {
      serverMs: 280,
      seenMs: 500,
    });
  });
});

describe("the steady answer", () => {
  const words = [1_000, 1_020, 1_040].map((sentAtMs, place) => steadyWord(place, sentAtMs));

  it("says when its words were sent", () => {
    assert.deepEqual(sentAtMsIn(words.join("")), { first: 1_000, last: 1_040 });
    assert.equal(sentAtMsIn(""), undefined);
  });

  it("is whole with every word once and in order", () => {
    const [first = "", second = "", third = ""] = words;
    assert.equal(isWhole(words.join(""), 3), true);
    for (const text of [first + third, first + second + second, second + first + third, first + second])
      assert.equal(isWhole(text, 3), false);
  });
});
