import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { beatMs } from "../../../src/chat/pacing/pace.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { anyAsciiText, anyPieces, anyText, fewRuns } from "../any-text.ts";
import {
  type Delivery,
  endEvent,
  fixedPacing,
  naturalPacing,
  rawPacing,
  runPaced,
  textDeliveries,
  textsOf,
} from "../paced-run.ts";

const anyGaps = fc.array(fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 300 }), fc.constant(1_500)), {
  maxLength: 26,
});
const anySize = fc.integer({ min: 1, max: 60 });

/**
 * The arrival time of each code unit of the whole text. A surrogate pair arrives with its second half, if nothing is
 * between the halves.
 */
function arrivalsOf(deliveries: readonly Delivery[]): number[] {
  const arrivals: number[] = [];
  let text = "";
  let nowMs = 0;
  for (const { afterMs, events } of deliveries) {
    nowMs += afterMs;
    for (const event of events) {
      if (event.type !== "text") text = "";
      if (event.type !== "text" || event.text === "") continue;
      if (/[\ud800-\udbff]$/.test(text)) arrivals[arrivals.length - 1] = nowMs;
      for (let unit = 0; unit < event.text.length; unit += 1) arrivals.push(nowMs);
      text += event.text;
    }
  }
  return arrivals;
}

describe("natural rhythm", () => {
  it("shows text at most max_lag and a beat after its arrival", async () => {
    const pacings = fc.record({
      chunkChars: anySize,
      intervalMs: fc.integer({ min: 10, max: 1_000 }),
      maxLagMs: fc.integer({ min: 0, max: 600 }),
    });
    const anySide = fc.constant<Delivery>({ afterMs: 0, events: [{ type: "reasoning", text: "hm" }] });
    const sides = fc.array(fc.option(anySide), { maxLength: 26 });
    await fc.assert(
      fc.asyncProperty(anyPieces(anyText), anyGaps, sides, pacings, async (pieces, gapsMs, side, pacing) => {
        const deliveries = textDeliveries(pieces, gapsMs).flatMap((delivery, index) => {
          const before = side[index] ?? null;
          return before === null ? [delivery] : [before, delivery];
        });
        const arrivals = arrivalsOf(deliveries);
        const run = await runPaced({ ...pacing, mode: "natural" }, deliveries);
        let end = 0;
        for (const { atMs, text } of textsOf(run)) {
          for (const cameAtMs of arrivals.slice(end, end + text.length)) {
            assert.ok(atMs >= cameAtMs, "shown before it came");
            assert.ok(
              atMs - cameAtMs <= pacing.maxLagMs + beatMs,
              `${JSON.stringify(text)} is shown ${atMs - cameAtMs} ms late`,
            );
          }
          end += text.length;
        }
      }),
      fewRuns,
    );
  });

  it("shows one chunk an interval and no more while nothing would be late", async () => {
    await fc.assert(
      fc.asyncProperty(anyPieces(anyAsciiText), anyGaps, anySize, async (pieces, gapsMs, chunkChars) => {
        // Up to three chunks are shown within 375 ms, independently of earlier chunks.
        const short = textDeliveries(cutTo(pieces, 3 * chunkChars), gapsMs);
        const texts = textsOf(await runPaced({ ...naturalPacing, chunkChars }, short));
        // An interval starts with the beat in which its chunk is shown.
        assertApart(
          texts.map(({ atMs, text }) => ({ atMs: beatOf(atMs) * beatMs, text })),
          100,
        );
      }),
      fewRuns,
    );
  });

  it("keeps to the interval for any length of text that arrives no faster", async () => {
    const deliveries = Array.from({ length: 60 }, () => ({ afterMs: 100, text: "x".repeat(50) }));
    const run = await runPaced(naturalPacing, [
      ...deliveries.map(({ afterMs, text }): Delivery => ({ afterMs, events: [{ type: "text", text }] })),
      { afterMs: 0, events: [endEvent] },
    ]);
    assert.deepEqual(
      textsOf(run).map(({ atMs, text }) => [atMs, text.length]),
      deliveries.map((_, index) => [(index + 1) * 100, 50]),
    );
  });

  it("spreads a burst over max_lag", async () => {
    const run = await runPaced(naturalPacing, textDeliveries(["x".repeat(50 * 9)], []));
    assert.deepEqual(
      textsOf(run).map(({ atMs }) => atMs),
      [0, 50, 100, 150, 200, 250, 300, 350, 400],
    );
  });

  it("keeps to an interval shorter than a beat by several chunks a beat", async () => {
    const run = await runPaced(
      { ...naturalPacing, intervalMs: 20 },
      textDeliveries(["x".repeat(50 * 5)], []),
    );
    assert.deepEqual(
      textsOf(run).map(({ atMs }) => atMs),
      [0, 0, 40, 40, 80],
    );
  });

  it("shows a character that waited for its cluster as soon as the next one arrives", async () => {
    const run = await runPaced(naturalPacing, textDeliveries(["雨", "が"], [0, 10]));
    assert.deepEqual(textsOf(run)[0], { atMs: 10, batch: 0, type: "text", text: "雨が", final: true });
    const longer = await runPaced(naturalPacing, textDeliveries(["雨", "が", "降"], [0, 30, 500]));
    assert.deepEqual(
      textsOf(longer).map(({ atMs, text }) => [atMs, text]),
      [
        [30, "雨"],
        [430, "が"],
        [530, "降"],
      ],
    );
  });
});

describe("fixed rhythm", () => {
  it("shows one chunk per interval, however much waits", async () => {
    const run = await runPaced(fixedPacing, textDeliveries(["x".repeat(3_300)], []));
    assert.deepEqual(
      textsOf(run).map(({ atMs, text }) => [atMs, text.length]),
      Array.from({ length: 66 }, (_, index) => [index * 100, 50]),
    );
  });

  it("is exactly an interval apart as long as text waits, and shows later text at once", async () => {
    await fc.assert(
      fc.asyncProperty(anyPieces(anyAsciiText), anyGaps, anySize, async (pieces, gapsMs, chunkChars) => {
        const deliveries = textDeliveries(pieces, gapsMs);
        const arrivals = arrivalsOf(deliveries);
        const texts = textsOf(await runPaced({ ...fixedPacing, chunkChars }, deliveries));
        assertApart(texts, 100);
        let end = 0;
        let soonestMs = 0;
        let readAtMs = 0;
        for (const { atMs, text } of texts) {
          if (text === "") continue;
          const cameAtMs = arrivals[end] ?? atMs;
          assert.equal(atMs, Math.max(soonestMs, cameAtMs));
          const isFull = text.length === chunkChars;
          // Text that arrives after the waiting text is read with the chunk and shown with the next one.
          assert.ok(
            isFull || (arrivals[end + text.length] ?? Infinity) >= readAtMs,
            "a chunk with room in it",
          );
          readAtMs = atMs;
          end += text.length;
          soonestMs = atMs + 100;
        }
      }),
      fewRuns,
    );
  });
});

describe("raw", () => {
  it("shows everything when it arrives, in one chunk per beat", async () => {
    await fc.assert(
      fc.asyncProperty(anyPieces(anyAsciiText), anyGaps, async (pieces, gapsMs) => {
        const deliveries = [...textDeliveries(pieces, gapsMs, []), { afterMs: 77, events: [endEvent] }];
        const arrivals = arrivalsOf(deliveries);
        const texts = textsOf(await runPaced(rawPacing, deliveries)).filter(({ text }) => text !== "");
        let end = 0;
        for (const [index, { atMs, text }] of texts.entries()) {
          const came = arrivals.slice(end, end + text.length);
          end += text.length;
          assert.ok(came.every((cameAtMs) => cameAtMs <= atMs && atMs - cameAtMs <= beatMs));
          assert.ok((arrivals[end] ?? Infinity) >= atMs, "what had come is shown with it");
          const before = texts[index - 1];
          if (before !== undefined) assert.notEqual(beatOf(atMs), beatOf(before.atMs));
        }
        assert.equal(end, arrivals.length);
      }),
      fewRuns,
    );
  });

  it("does not wait for the rest of a cluster", async () => {
    const run = await runPaced(rawPacing, textDeliveries(["雨", "👩\u200d", "🚀"], [0, 30, 30]));
    assert.deepEqual(
      textsOf(run).map(({ atMs, text }) => [atMs, text]),
      [
        [0, "雨"],
        [30, "👩\u200d"],
        [60, "🚀"],
      ],
    );
  });

  it("makes one chunk of one batch, up to the size that every client can read", async () => {
    const text = "x".repeat(65_536);
    const whole = await runPaced(rawPacing, textDeliveries([text], [5]));
    assert.deepEqual(textsOf(whole), [{ atMs: 5, batch: 0, type: "text", text, final: true }]);
    const longer = await runPaced(rawPacing, textDeliveries([`${text}${text}y`], [5]));
    assert.deepEqual(
      textsOf(longer).map((event) => event.text.length),
      [65_536, 65_536, 1],
    );
  });
});

for (const pacing of [naturalPacing, fixedPacing, rawPacing]) {
  describe(`the first chunk, ${pacing.mode}`, () => {
    it("is shown when its text arrives", async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat({ max: 10_000 }), anyGaps, async (firstMs, gapsMs) => {
          const run = await runPaced(pacing, textDeliveries(["Hi", " there", "!"], [firstMs, ...gapsMs]));
          assert.equal(textsOf(run)[0]?.atMs, firstMs);
          assert.match(textsOf(run)[0]?.text ?? "", /^Hi/);
        }),
        { ...fewRuns, numRuns: 30 },
      );
    });
  });
}

describe("timers that fire early", () => {
  const byAMoment = (ms: number) => Math.max(0, ms - 0.8);
  const byHalf = (ms: number) => ms / 2;
  for (const { early, mode, intervalMs, firesAfter } of [
    { early: "by a moment, as those of systems do", mode: "natural", intervalMs: 100, firesAfter: byAMoment },
    { early: "by a moment, as those of systems do", mode: "raw", intervalMs: beatMs, firesAfter: byAMoment },
    { early: "by half their time", mode: "natural", intervalMs: 100, firesAfter: byHalf },
    { early: "by half their time", mode: "raw", intervalMs: beatMs, firesAfter: byHalf },
  ] as const) {
    it(`${early} leave a lane with its beat, ${mode}`, async () => {
      const clock = createTestClock();
      const { callAfter } = clock;
      clock.callAfter = (ms, callback) => callAfter(firesAfter(ms), callback);
      const texts = textDeliveries(
        Array.from({ length: 400 }, () => "word "),
        Array.from({ length: 400 }, () => 10),
      );
      const shown = textsOf(await runPaced({ ...naturalPacing, mode }, texts, { clock }));
      assert.ok(shown.length > 30);
      // The first one is shown when its text arrives, and the last one at the end.
      for (const [index, { atMs }] of shown.slice(2, -1).entries()) {
        const beforeMs = shown[index + 1]?.atMs ?? 0;
        assert.ok(Math.abs(atMs - beforeMs - intervalMs) < 1, `${beforeMs}, then ${atMs}`);
      }
    });
  }
});

const beatOf = (ms: number) => Math.floor(ms / beatMs);

function cutTo(pieces: readonly string[], length: number): string[] {
  const kept: string[] = [];
  let left = length;
  for (const piece of pieces) {
    kept.push(piece.slice(0, left));
    left -= kept.at(-1)?.length ?? 0;
  }
  return kept;
}

/** At least one interval between two chunks, except before an empty final chunk. */
function assertApart(texts: readonly { atMs: number; text: string }[], intervalMs: number): void {
  const shown = texts.filter(({ text }) => text !== "");
  for (const [index, { atMs }] of shown.entries()) {
    const before = shown[index - 1];
    if (before !== undefined) assert.ok(atMs - before.atMs >= intervalMs, `${before.atMs}, then ${atMs}`);
  }
}
