import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RetryPolicy, withRetries } from "../../src/chat/retry.ts";
import type { ProviderEvent } from "../../src/ports/provider.ts";
import { TroupeError, type TroupeErrorOptions } from "../../src/protocol/errors.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { textEvent } from "./any-text.ts";
import { endEvent } from "./paced-run.ts";

const policy: RetryPolicy = {
  maxRetries: 2,
  firstDelayMs: 500,
  maxDelayMs: 8_000,
  maxAskedDelayMs: 20_000,
  random: () => 0,
};

const overloaded = (options: TroupeErrorOptions = {}) =>
  new TroupeError("upstream_overloaded", { safeToRepeat: true, ...options });

/** A provider whose calls fail with these errors, one after the other, and then answer. */
function failing(errors: readonly unknown[], before: readonly ProviderEvent[] = []) {
  let calls = 0;
  const calledAtMs: number[] = [];
  return {
    calledAtMs,
    open: (clock: TestClock) =>
      async function* (): AsyncGenerator<ProviderEvent[]> {
        const error = errors[calls];
        calls += 1;
        calledAtMs.push(clock.now() - 1_000);
        if (error === undefined) return yield [textEvent("answer"), endEvent];
        if (before.length > 0) yield [...before];
        throw error;
      },
  };
}

async function run(
  errors: readonly unknown[],
  { before = [], ...changes }: Partial<RetryPolicy> & { before?: readonly ProviderEvent[] } = {},
) {
  const clock = createTestClock({ instantMs: 1_000_000 });
  const provider = failing(errors, before);
  const events: ProviderEvent[] = [];
  const { signal } = new AbortController();
  const batches = withRetries(provider.open(clock), { ...policy, ...changes }, { clock, signal });
  let thrown: unknown;
  try {
    for await (const batch of batches) events.push(...batch);
  } catch (error) {
    thrown = error;
  }
  return { events, thrown, calledAtMs: provider.calledAtMs };
}

describe("withRetries", () => {
  it("passes an answer through and calls once", async () => {
    const { events, thrown, calledAtMs } = await run([]);
    assert.deepEqual(events, [textEvent("answer"), endEvent]);
    assert.equal(thrown, undefined);
    assert.deepEqual(calledAtMs, [0]);
  });

  it("announces every repeat before it waits, each wait twice as long", async () => {
    const { events, calledAtMs } = await run([
      overloaded(),
      new TroupeError("rate_limited", { safeToRepeat: true }),
    ]);
    assert.deepEqual(events, [
      { type: "retrying", attempt: 1, delayMs: 500, code: "upstream_overloaded", isUnread: false },
      { type: "retrying", attempt: 2, delayMs: 1_000, code: "rate_limited", isUnread: true },
      textEvent("answer"),
      endEvent,
    ]);
    assert.deepEqual(calledAtMs, [0, 500, 1_500]);
  });

  it("gives up after the maximum of repeats, with the last error", async () => {
    const last = overloaded();
    const { thrown, calledAtMs } = await run([overloaded(), overloaded(), last, overloaded()]);
    assert.equal(thrown, last);
    assert.equal(calledAtMs.length, 3);
  });

  it("waits no longer than the longest delay", async () => {
    const errors = Array.from({ length: 6 }, () => overloaded());
    const { calledAtMs } = await run(errors, { maxRetries: 6, maxDelayMs: 3_000 });
    assert.deepEqual(
      calledAtMs.map((atMs, index) => atMs - (calledAtMs[index - 1] ?? 0)),
      [0, 500, 1_000, 2_000, 3_000, 3_000, 3_000],
    );
  });

  it("spreads the waits by up to a quarter, downwards", async () => {
    const half = await run([overloaded()], { random: () => 0.5 });
    assert.deepEqual(half.calledAtMs, [0, 437.5]);
    assert.deepEqual(half.events[0], {
      type: "retrying",
      attempt: 1,
      delayMs: 438,
      code: "upstream_overloaded",
      isUnread: false,
    });
    const most = await run([overloaded()], { random: () => 0.999_999 });
    assert.ok((most.calledAtMs[1] ?? 0) >= 375);
  });

  it("waits as long as the provider asked, unspread, even nothing", async () => {
    const options = { random: () => 0.9, maxRetries: 3 };
    const { calledAtMs } = await run(
      [
        overloaded({ retryAfterMs: 2_500 }),
        overloaded({ retryAfterMs: 0 }),
        overloaded({ retryAfterMs: 9_000 }),
      ],
      options,
    );
    assert.deepEqual(calledAtMs, [0, 2_500, 2_500, 11_500]);
  });

  it("does not wait if the provider asks for too long a pause", async () => {
    const error = overloaded({ retryAfterMs: 20_001 });
    const { thrown, events, calledAtMs } = await run([error]);
    assert.equal(thrown, error);
    assert.deepEqual([events, calledAtMs], [[], [0]]);
    assert.equal((await run([overloaded({ retryAfterMs: 20_000 })])).calledAtMs[1], 20_000);
  });

  it("repeats nothing that said something", async () => {
    const said: readonly ProviderEvent[] = [
      textEvent("half an ans"),
      { type: "reasoning", text: "hm" },
      { type: "tool", tool: "web_search", status: "in_progress", callId: "c" },
    ];
    for (const before of said) {
      const error = overloaded();
      const { thrown, calledAtMs } = await run([error], { before: [before] });
      assert.equal(thrown, error);
      assert.deepEqual(calledAtMs, [0]);
    }
  });

  it("repeats a call that was only accepted, as an attempt that may have been read", async () => {
    const started = { type: "started", response: { id: "resp_1" } } as const;
    const limited = new TroupeError("rate_limited", { safeToRepeat: true });
    const { events, calledAtMs } = await run([limited, limited], { before: [started] });
    const retrying = { type: "retrying", code: "rate_limited", isUnread: false };
    assert.deepEqual(events, [
      started,
      { ...retrying, attempt: 1, delayMs: 500 },
      started,
      { ...retrying, attempt: 2, delayMs: 1_000 },
      textEvent("answer"),
      endEvent,
    ]);
    assert.deepEqual(calledAtMs, [0, 500, 1_500]);
  });

  it("reports that a call has started when something is shown, and not before", async () => {
    const clock = createTestClock();
    let begun = 0;
    const onBegun = () => {
      begun += 1;
    };
    const batches = withRetries(
      async function* (): AsyncGenerator<ProviderEvent[]> {
        yield [{ type: "started" }];
        yield [textEvent("one")];
      },
      policy,
      { clock, signal: new AbortController().signal, onBegun },
    );
    const seen: number[] = [];
    for await (const _ of batches) seen.push(begun);
    assert.deepEqual([seen, begun], [[0, 1], 1]);
  });

  it("repeats only if that is safe", async () => {
    const unsafe = [
      new TroupeError("upstream_overloaded"),
      new TroupeError("quota_exceeded", { safeToRepeat: false }),
      new TypeError("a bug"),
    ];
    for (const error of unsafe) {
      const { thrown, calledAtMs } = await run([error]);
      assert.equal(thrown, error);
      assert.deepEqual(calledAtMs, [0]);
    }
  });

  it("stops waiting when it is aborted, and calls no more", async () => {
    const clock = createTestClock();
    const controller = new AbortController();
    const provider = failing([overloaded({ retryAfterMs: 10_000 })]);
    const batches = withRetries(provider.open(clock), policy, { clock, signal: controller.signal });
    await batches.next();
    const waiting = assert.rejects(batches.next(), /stopped/);
    await clock.advance(4_000);
    assert.equal(clock.sleeping, 1);
    controller.abort(new Error("stopped"));
    await waiting;
    assert.equal(clock.sleeping, 0);
    assert.deepEqual(provider.calledAtMs, [0]);
  });

  it("throws the reason of an abort during the call, not the error that it made", async () => {
    const clock = createTestClock();
    const controller = new AbortController();
    const batches = withRetries(
      async function* (): AsyncGenerator<ProviderEvent[]> {
        await clock.sleep(60_000, controller.signal);
        if (controller.signal.aborted) throw overloaded();
        yield [endEvent];
      },
      policy,
      { clock, signal: controller.signal },
    );
    const next = assert.rejects(batches.next(), /stopped/);
    controller.abort(new Error("stopped"));
    await next;
  });

  it("ends the call when its reader leaves", async () => {
    let ended = false;
    const clock = createTestClock();
    const batches = withRetries(
      async function* (): AsyncGenerator<ProviderEvent[]> {
        try {
          yield [textEvent("one")];
          yield [textEvent("two")];
        } finally {
          ended = true;
        }
      },
      policy,
      { clock, signal: new AbortController().signal },
    );
    await batches.next();
    await batches.return?.();
    assert.equal(ended, true);
  });
});
