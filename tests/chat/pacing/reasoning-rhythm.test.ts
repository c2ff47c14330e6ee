import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { textEvent } from "../any-text.ts";
import {
  type Delivery,
  endEvent,
  fixedPacing,
  joined,
  naturalPacing,
  rawPacing,
  runPaced,
  type ShownEvent,
} from "../paced-run.ts";

const thought = (text: string): ProviderEvent => ({ type: "reasoning", text });
const tool: ProviderEvent = { type: "tool", tool: "web_search", status: "searching", callId: "ws_1" };
const everyMs = 10;
const tokens = Array.from({ length: 100 }, (_, index) => `t${index} `);

/** A token every 10 ms, each on its own. */
function spoken(tokens: readonly ProviderEvent[], last: readonly ProviderEvent[] = [endEvent]): Delivery[] {
  return [
    ...tokens.map((token) => ({ afterMs: everyMs, events: [token] })),
    { afterMs: everyMs, events: last },
  ];
}

function reasoningOf(shown: readonly ShownEvent[]) {
  return shown.flatMap(({ atMs, event }) => (event.type === "reasoning" ? [{ atMs, text: event.text }] : []));
}

describe("reasoning has the rhythm of text", () => {
  for (const [pacing, most] of [
    [naturalPacing, 12],
    [fixedPacing, 12],
    [rawPacing, 42],
  ] as const) {
    it(`${pacing.mode}: the reasoning of an interval is one event, at most ${most} for 100 tokens`, async () => {
      const { shown } = await runPaced(pacing, spoken(tokens.map(thought)));
      const events = reasoningOf(shown);
      assert.equal(events.map(({ text }) => text).join(""), tokens.join(""));
      assert.ok(events.length <= most, `${events.length} events`);
    });

    it(`${pacing.mode}: the first piece is shown as it comes`, async () => {
      const { shown } = await runPaced(pacing, spoken(tokens.map(thought)));
      assert.deepEqual(reasoningOf(shown)[0], { atMs: everyMs, text: "t0 " });
    });
  }

  it("no later than an interval and a beat after it came", async () => {
    const { shown } = await runPaced(naturalPacing, spoken(tokens.map(thought)));
    let seen = 0;
    for (const { atMs, text } of reasoningOf(shown)) {
      const cameAtMs = (seen + 1) * everyMs;
      assert.ok(atMs - cameAtMs <= naturalPacing.intervalMs + 25, `${text} is ${atMs - cameAtMs} ms late`);
      seen += text.split(" ").length - 1;
    }
  });

  it("keeps its place among texts and tools", async () => {
    const order = [
      thought("a"),
      thought("b"),
      tool,
      thought("c"),
      textEvent("one "),
      thought("d"),
      thought("e"),
    ];
    const { shown } = await runPaced(naturalPacing, [
      { afterMs: 0, events: [...order, textEvent("two"), endEvent] },
    ]);
    assert.deepEqual(
      shown.map(({ event }) => (event.type === "tool" ? "tool" : "text" in event ? event.text : event.type)),
      ["ab", "tool", "c", "one ", "de", "two"],
    );
  });

  it("does not make the first text late by more than an interval", async () => {
    const run = await runPaced(
      naturalPacing,
      spoken(tokens.slice(0, 7).map(thought), [textEvent("Rain."), endEvent]),
    );
    assert.equal(joined(run), "Rain.");
    const first = run.shown.find(({ event }) => event.type === "text");
    assert.ok(first !== undefined && first.atMs <= 8 * everyMs + naturalPacing.intervalMs + 25);
  });
});
