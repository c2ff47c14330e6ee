import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import type { Pacing } from "../../../src/ports/turn-request.ts";
import { anyBrokenText, anyPieces, anyText, boundaries, clusterAt, fewRuns, textEvent } from "../any-text.ts";
import {
  endEvent,
  fixedPacing,
  joined,
  naturalPacing,
  rawPacing,
  runPaced,
  type ShownEvent,
  textDeliveries,
  textsOf,
} from "../paced-run.ts";

const codePoints = (text: string) => [...text].length;

const anyPacing: fc.Arbitrary<Pacing> = fc.record({
  mode: fc.constantFrom("natural" as const, "fixed" as const, "raw" as const),
  chunkChars: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(4_096)),
  intervalMs: fc.integer({ min: 10, max: 500 }),
  maxLagMs: fc.oneof(fc.integer({ min: 0, max: 1_000 }), fc.constant(0)),
});
const anyGaps = fc.array(fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 2_000 })), { maxLength: 26 });

describe("the output of a paced answer", () => {
  it("is the whole text in order, in chunks that are short enough, the last one final", async () => {
    await fc.assert(
      fc.asyncProperty(anyPieces(anyBrokenText), anyGaps, anyPacing, async (pieces, gapsMs, pacing) => {
        const run = await runPaced(pacing, textDeliveries(pieces, gapsMs));
        assert.deepEqual(run.result, { type: "ended", end: endEvent });
        assert.equal(joined(run), pieces.join("").toWellFormed());
        const texts = textsOf(run);
        assert.deepEqual(
          texts.map(({ final }) => final),
          texts.map((_, index) => index === texts.length - 1),
        );
        if (pacing.mode === "raw") return;
        for (const { text } of texts) assert.ok(codePoints(text) <= pacing.chunkChars);
      }),
      fewRuns,
    );
  });

  it("cuts no cluster that fits into a chunk, if its pieces arrive in time", async () => {
    const timedPacing = anyPacing.filter(({ mode, maxLagMs }) => mode !== "raw" && maxLagMs >= 200);
    await fc.assert(
      fc.asyncProperty(anyPieces(anyText), anyGaps, timedPacing, async (pieces, gapsMs, pacing) => {
        const text = pieces.join("");
        const whole = boundaries(text);
        const starts = pieces.map((_, index) => pieces.slice(0, index).join("").length);
        const inTime = starts.map((start, index) => (gapsMs[index] ?? 0) % (whole.has(start) ? 2_000 : 8));
        let end = 0;
        for (const shown of textsOf(await runPaced(pacing, textDeliveries(pieces, inTime)))) {
          end += shown.text.length;
          const isWhole = end === 0 || end === text.length || whole.has(end);
          const { length } = [...clusterAt(text, end)];
          assert.ok(isWhole || length > pacing.chunkChars, `cut at ${end} of ${JSON.stringify(text)}`);
        }
      }),
      fewRuns,
    );
  });

  it("holds back the newest piece, however long the text before it has waited", async () => {
    const pieces = ["x".repeat(275), "👩\u200d", "🚀"];
    const run = await runPaced(fixedPacing, textDeliveries(pieces, [0, 495, 10]));
    assert.deepEqual(
      textsOf(run)
        .slice(-2)
        .map(({ atMs, text }) => [atMs, text]),
      [
        [500, "x".repeat(25)],
        [600, "👩‍🚀"],
      ],
    );
  });

  it("keeps every other event in its place", async () => {
    const anySide: fc.Arbitrary<ProviderEvent> = fc.oneof(
      fc.record({ type: fc.constant("reasoning" as const), text: fc.string() }),
      fc.nat().map((n) => ({ type: "tool" as const, tool: "t", status: "s", callId: `c${n}` })),
      fc.constant({ type: "started" as const }),
    );
    const anyEvent = fc.oneof({ weight: 3, arbitrary: anyBrokenText.map(textEvent) }, anySide);
    const batches = fc.array(fc.array(anyEvent, { minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(batches, anyGaps, anyPacing, async (events, gapsMs, pacing) => {
        const all = [...events, [endEvent]];
        const { shown } = await runPaced(
          pacing,
          all.map((batch, index) => ({ afterMs: gapsMs[index] ?? 0, events: batch })),
        );
        assert.deepEqual(inOrder(shown.map(({ event }) => event)), inOrder(events.flat()));
      }),
      fewRuns,
    );
  });

  for (const pacing of [naturalPacing, fixedPacing, rawPacing]) {
    it(`joins a character whose halves arrive apart, ${pacing.mode}`, async () => {
      const run = await runPaced(pacing, textDeliveries(["rain \ud83d", "\ude00 sun"], [0, 5_000]));
      assert.equal(joined(run), "rain 😀 sun");
      assert.equal(textsOf(run)[0]?.text, "rain ");
    });

    it(`replaces half a character that stays alone, ${pacing.mode}`, async () => {
      const run = await runPaced(pacing, textDeliveries(["rain \ud83d", ""], [0, 5_000]));
      assert.equal(joined(run), "rain \ufffd");
    });

    it(`ends an answer without text with one empty final chunk, ${pacing.mode}`, async () => {
      const { shown } = await runPaced(pacing, [{ afterMs: 10, events: [{ type: "started" }, endEvent] }]);
      assert.deepEqual(
        shown.map(({ event }) => event),
        [{ type: "started" }, { type: "text", text: "", final: true }],
      );
    });
  }
});

/**
 * The events with neighbouring texts and neighbouring pieces of reasoning joined, and empty ones left out. Only order and
 * content count.
 */
function inOrder(events: readonly (ProviderEvent | ShownEvent["event"])[]): unknown[] {
  const ordered: unknown[] = [];
  let halves = "";
  let open: { readonly type: string; readonly text: string } | undefined;
  for (const event of events) {
    const isText = event.type === "text" || event.type === "reasoning";
    if (isText && event.text === "") continue;
    if (isText && open?.type === event.type) {
      halves += event.text;
      open = { type: event.type, text: halves.toWellFormed() };
      ordered[ordered.length - 1] = open;
    } else {
      halves = isText ? event.text : "";
      open = isText ? { type: event.type, text: halves.toWellFormed() } : undefined;
      ordered.push(open ?? event);
    }
  }
  return ordered;
}
