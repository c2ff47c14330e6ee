import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { textEvent } from "../any-text.ts";
import {
  endEvent,
  fixedPacing,
  joined,
  naturalPacing,
  rawPacing,
  readPaced,
  runPaced,
  textsOf,
} from "../paced-run.ts";
import { countedSource } from "./counted-source.ts";

const tenThousand = "x".repeat(10_000);
const signal = new AbortController().signal;

describe("a paced answer whose provider is quicker than its rhythm", () => {
  it("asks for no more while over 65,536 code units wait, and again when half of them are shown", async () => {
    const source = countedSource([...Array.from({ length: 30 }, () => [textEvent(tenThousand)]), [endEvent]]);
    const clock = createTestClock();
    // One chunk of 5,000 each second.
    const pacing = { ...fixedPacing, chunkChars: 5_000, intervalMs: 1_000 };
    const askedAfterSeconds: number[] = [];
    const paced = readPaced(source, pacing, { clock, signal });
    let shownChars = 0;
    const reading = (async () => {
      for await (const batch of paced)
        for (const event of batch) if (event.type === "text") shownChars += event.text.length;
    })();
    for (let seconds = 0; seconds <= 21; seconds += 1) {
      await clock.advance(seconds === 0 ? 0 : 1_000);
      askedAfterSeconds.push(source.asked);
    }
    // Each second brings 10,000 and shows 5,000. After the 13th, 70,000 wait, which is too many. 35,000 is still more
    // than half of 65,536, and 30,000 is not.
    assert.deepEqual(
      askedAfterSeconds,
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 14, 14, 14, 14, 14, 14, 14, 15],
    );
    await clock.advance(60_000);
    await reading;
    assert.equal(shownChars, 300_000);
  });

  it("counts waiting events other than text as well", async () => {
    const reasoning: ProviderEvent = { type: "reasoning", text: tenThousand };
    const source = countedSource([
      [textEvent("x".repeat(51))],
      ...Array.from({ length: 30 }, () => [reasoning]),
      [endEvent],
    ]);
    const clock = createTestClock();
    const paced = readPaced(source, fixedPacing, { clock, signal });
    const seen: string[] = [];
    let reasoningChars = 0;
    const reading = (async () => {
      for await (const batch of paced)
        for (const event of batch) {
          seen.push(event.type);
          if (event.type === "reasoning") reasoningChars += event.text.length;
        }
    })();
    await clock.advance(0);
    assert.equal(source.asked, 1);
    assert.deepEqual(seen, ["text"]);
    await clock.advance(4_000);
    await reading;
    assert.equal(reasoningChars, 30 * tenThousand.length);
  });

  it("reads no further ahead of an idle reader", async () => {
    for (const pacing of [naturalPacing, rawPacing]) {
      const source = countedSource(Array.from({ length: 30 }, () => [textEvent(tenThousand)]));
      const clock = createTestClock();
      const paced = readPaced(source, pacing, { clock, signal });
      await paced.next();
      await clock.advance(60_000);
      assert.ok(source.asked <= 11, `${source.asked} batches of 10,000`);
      await paced.return({ type: "failed", error: undefined });
    }
  });
});

describe("a paced answer that its reader leaves", () => {
  it("ends a provider that waits to be asked", async () => {
    const source = countedSource(Array.from({ length: 30 }, () => [textEvent(tenThousand)]));
    const clock = createTestClock();
    const paced = readPaced(source, fixedPacing, { clock, signal });
    await paced.next();
    await clock.advance(0);
    assert.equal(source.returned, false);
    await paced.return({ type: "failed", error: undefined });
    await clock.advance(0);
    assert.equal(source.returned, true);
    assert.equal(clock.sleeping, 0);
  });

  it("ends a provider that is being asked as soon as it gives something", async () => {
    const clock = createTestClock();
    let ended = false;
    async function* source(): AsyncGenerator<ProviderEvent[]> {
      try {
        yield [{ type: "started" }];
        await clock.sleep(5_000);
        yield [textEvent("two")];
        yield [textEvent("three")];
      } finally {
        ended = true;
      }
    }
    const paced = readPaced(source(), naturalPacing, { clock, signal });
    await paced.next();
    await paced.return({ type: "failed", error: undefined });
    await clock.advance(4_000);
    assert.equal(ended, false);
    await clock.advance(1_000);
    assert.equal(ended, true);
  });

  it("listens to its signal no longer", async () => {
    const { signal } = new AbortController();
    let listening = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listening += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening -= 1;
      remove(...args);
    };
    const clock = createTestClock();
    const paced = readPaced(countedSource([[textEvent("one")], [endEvent]]), rawPacing, { clock, signal });
    await paced.next();
    assert.equal(listening, 1);
    await paced.return({ type: "failed", error: undefined });
    assert.equal(listening, 0);
  });
});

describe("a paced answer that fails", () => {
  async function* failing(error: unknown): AsyncGenerator<ProviderEvent[]> {
    yield [textEvent("x".repeat(120)), { type: "reasoning", text: "hm" }, textEvent("y".repeat(10))];
    throw error;
  }

  it("shows all text received in its rhythm, and fails then", async () => {
    const error = new Error("cut");
    const run = await runPaced(fixedPacing, () => failing(error));
    assert.deepEqual(run.result, { type: "failed", error });
    assert.equal(joined(run), "x".repeat(120) + "y".repeat(10));
    assert.deepEqual(
      textsOf(run).map(({ atMs, final }) => [atMs, final]),
      [
        [0, false],
        [100, false],
        [200, false],
        [300, true],
      ],
    );
  });

  it("says so when the provider just stops", async () => {
    const run = await runPaced(naturalPacing, [{ afterMs: 0, events: [textEvent("half an ans")] }]);
    assert.equal(run.result.type, "failed");
    assert.equal(joined(run), "half an ans");
    assert.equal(textsOf(run).at(-1)?.final, true);
  });

  it("reads nothing after the end", async () => {
    const source = countedSource([[textEvent("all"), endEvent], [textEvent(" late")]]);
    const run = await runPaced(rawPacing, () => source);
    assert.deepEqual(run.result, { type: "ended", end: endEvent });
    assert.equal(joined(run), "all");
    assert.deepEqual([source.asked, source.returned], [1, true]);
  });
});
