import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { createTestClock, type TestClock } from "../../support/test-clock.ts";
import { anyBrokenText, anyPieces, fewRuns, textEvent } from "../any-text.ts";
import {
  endEvent,
  fixedPacing,
  joined,
  naturalPacing,
  rawPacing,
  readPaced,
  runPaced,
  textsOf,
  untilEnded,
} from "../paced-run.ts";

const pacings = [naturalPacing, fixedPacing, rawPacing];

/** A provider that obeys: when the signal aborts, it closes, which takes a while, and throws the reason. */
async function* obedient(
  clock: TestClock,
  signal: AbortSignal,
  pieces: readonly { afterMs: number; events: ProviderEvent[] }[],
  closingMs: number,
): AsyncGenerator<ProviderEvent[]> {
  try {
    for (const { afterMs, events } of pieces) {
      if (afterMs > 0) await clock.sleep(afterMs, signal);
      signal.throwIfAborted();
      yield events;
      signal.throwIfAborted();
    }
    await clock.sleep(3_600_000, signal);
    signal.throwIfAborted();
  } finally {
    if (signal.aborted && closingMs > 0) await clock.sleep(closingMs);
  }
}

/** Starts an answer, aborts it at a given moment and returns all its output. */
async function abortAt(
  atMs: number,
  pacing: (typeof pacings)[number],
  open: (clock: TestClock, signal: AbortSignal) => AsyncIterable<ProviderEvent[]>,
) {
  const clock = createTestClock();
  const controller = new AbortController();
  const reason = new Error("stop");
  const running = runPaced(pacing, () => open(clock, controller.signal), {
    clock,
    signal: controller.signal,
  });
  void clock.sleep(atMs).then(() => controller.abort(reason));
  return { ...(await running), reason };
}

describe("an abort of a paced answer", () => {
  it("shows all text received until then at once, with every rhythm", async () => {
    const gaps = fc.array(fc.nat({ max: 300 }), { maxLength: 26 });
    await fc.assert(
      fc.asyncProperty(
        anyPieces(anyBrokenText),
        gaps,
        fc.integer({ min: 1, max: 2_000 }),
        fc.constantFrom(...pacings),
        async (texts, gapsMs, atMs, pacing) => {
          let came = "";
          const pieces = texts.map((text, index) => ({
            afterMs: gapsMs[index] ?? 0,
            events: [textEvent(text)],
          }));
          const { shown, result, reason } = await abortAt(atMs, pacing, (clock, signal) => {
            const source = obedient(clock, signal, pieces, 0);
            return (async function* () {
              for await (const batch of source) {
                for (const event of batch) if (event.type === "text") came += event.text;
                yield batch;
              }
            })();
          });
          assert.equal(joined({ shown }), came.toWellFormed());
          const chunks = textsOf({ shown });
          assert.deepEqual(
            chunks.map(({ final }) => final),
            chunks.map((_, index) => index === chunks.length - 1),
          );
          assert.ok(chunks.every((chunk) => chunk.atMs <= atMs));
          assert.deepEqual(result, { type: "aborted", reason, closed: true, closedInMs: 0 });
        },
      ),
      fewRuns,
    );
  });

  it("keeps every other event in its place", async () => {
    const tool: ProviderEvent = { type: "tool", tool: "t", status: "s", callId: "c" };
    const events = [textEvent("x".repeat(60)), tool, textEvent("y"), tool];
    const { shown } = await abortAt(10, fixedPacing, (clock, signal) =>
      obedient(clock, signal, [{ afterMs: 0, events }], 0),
    );
    assert.deepEqual(
      shown.map(({ event, atMs }) => [atMs, event.type === "text" ? [event.text, event.final] : event.type]),
      [
        [0, ["x".repeat(50), false]],
        [10, ["x".repeat(10), false]],
        [10, "tool"],
        [10, ["y", false]],
        [10, "tool"],
        [10, ["", true]],
      ],
    );
  });

  it("waits for the provider to close and says how long that took", async () => {
    const { result } = await abortAt(40, naturalPacing, (clock, signal) => obedient(clock, signal, [], 350));
    assert.equal(result.type, "aborted");
    assert.deepEqual(result.type === "aborted" && [result.closed, result.closedInMs], [true, 350]);
  });

  it("gives up waiting after two seconds", async () => {
    const { result, shown } = await abortAt(140, naturalPacing, async function* (clock) {
      yield [textEvent("some")];
      await clock.sleep(3_600_000);
      yield [textEvent(" more")];
    });
    assert.deepEqual(result.type === "aborted" && [result.closed, result.closedInMs], [false, 2_000]);
    assert.equal(joined({ shown }), "some");
  });

  it("measures to the close, not to the reader's next call", async () => {
    const clock = createTestClock();
    const controller = new AbortController();
    const source = obedient(clock, controller.signal, [{ afterMs: 0, events: [textEvent("some")] }], 30);
    const paced = readPaced(source, naturalPacing, { clock, signal: controller.signal });
    await paced.next();
    controller.abort(new Error("stop"));
    await clock.advance(900);
    const flushed = await paced.next();
    assert.deepEqual(flushed.value, [{ type: "text", text: "", final: true }]);
    const end = await paced.next();
    assert.equal(end.done, true);
    assert.deepEqual(end.done && end.value.type === "aborted" && end.value.closedInMs, 30);
    assert.equal(clock.sleeping, 0);
  });

  it("ends a provider that does not listen, instead of reading all of it", async () => {
    let given = 0;
    let ended = false;
    const { result } = await abortAt(1_000, fixedPacing, async function* (clock) {
      try {
        for (; given < 10_000; given += 1) {
          await clock.sleep(10);
          yield [textEvent("and on ")];
        }
      } finally {
        ended = true;
      }
    });
    assert.equal(ended, true);
    assert.ok(given <= 101, `${given} batches were read`);
    assert.deepEqual(result.type === "aborted" && [result.closed, result.closedInMs <= 10], [true, true]);
  });

  it("reaches a provider that is not being read because too much waits", async () => {
    const whole = "x".repeat(100_000);
    const { result, shown } = await abortAt(250, fixedPacing, (clock, signal) =>
      obedient(clock, signal, [{ afterMs: 0, events: [textEvent(whole)] }], 0),
    );
    assert.equal(joined({ shown }), whole);
    assert.equal(result.type === "aborted" && result.closed, true);
  });

  it("before the start gives the final chunk alone", async () => {
    for (const pacing of pacings) {
      const clock = createTestClock();
      const signal = AbortSignal.abort(new Error("too late"));
      let ended = false;
      const running = runPaced(pacing, () => obedient(clock, signal, [], 0), { clock, signal }).finally(
        () => {
          ended = true;
        },
      );
      await untilEnded(clock, () => ended);
      const { shown, result } = await running;
      assert.deepEqual(
        shown.map(({ event }) => event),
        [{ type: "text", text: "", final: true }],
      );
      assert.equal(result.type, "aborted");
    }
  });

  it("after the last chunk changes nothing", async () => {
    const clock = createTestClock();
    const controller = new AbortController();
    const batches = [[textEvent("all"), endEvent]];
    const paced = readPaced(
      (async function* () {
        yield* batches;
      })(),
      naturalPacing,
      { clock, signal: controller.signal },
    );
    const { value } = await paced.next();
    assert.deepEqual(value, [{ type: "text", text: "all", final: true }]);
    controller.abort(new Error("too late"));
    assert.deepEqual(await paced.next(), { done: true, value: { type: "ended", end: endEvent } });
  });
});
