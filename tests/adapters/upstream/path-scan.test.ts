import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OpenText } from "../../../src/adapters/upstream/answer-machine.ts";
import { EventFormat, PathScan } from "../../../src/adapters/upstream/event-format.ts";
import { compareReadings, formats } from "./scan-agreement.ts";

const format = new EventFormat(
  { text: ["delta"], reasoning: ["delta"], ignored: ["sequence_number", "obfuscation"] },
  /"response"/,
);
const openText: OpenText = { kind: "text", isLoose: false, isShown: true, append: () => undefined };

const eventOf = (fields: object) => {
  const data = JSON.stringify({ type: "response.output_text.delta", ...fields });
  return { data, event: `event: response.output_text.delta\ndata: ${data}\n\n` };
};

/** A scan that has learnt one event reads another. */
function scanned(
  learnt: object,
  next: object,
): { readonly end: number; readonly delta: string; readonly length: number } {
  const scan = new PathScan(format);
  const { event, data } = eventOf(learnt);
  scan.learn(event, data, openText);
  const text = eventOf(next).event;
  return { end: scan.match(text, 0), delta: scan.delta, length: text.length };
}

describe("the scan for text deltas", () => {
  for (const name of formats)
    it(`agrees with parsing everything, for every stream and every cut: ${name}`, async () => {
      // The quick part of tests/long/path-scan.ts.
      const { inFull, quickly } = compareReadings(name, 500, 20_261_124);
      assert.ok(quickly < 0.8 * inFull, `${quickly} of ${inFull} were parsed`);
    });

  it("reads an event that differs in its text, its number and its padding only", () => {
    const learnt = { sequence_number: 9, item_id: "m", delta: "a", obfuscation: "xx" };
    const { end, delta, length } = scanned(learnt, {
      ...learnt,
      sequence_number: 10,
      delta: 'say "雨"\n',
      obfuscation: "",
    });
    assert.deepEqual([end, delta], [length, 'say "雨"\n']);
  });

  it("skips events that differ in anything else, or are incomplete", () => {
    const learnt = { sequence_number: 9, item_id: "m", delta: "a" };
    for (const next of [
      { ...learnt, item_id: "n" },
      { ...learnt, more: 1 },
      { delta: "a" },
      { ...learnt, sequence_number: -1 },
    ])
      assert.equal(scanned(learnt, next).end, -1, JSON.stringify(next));
    const scan = new PathScan(format);
    const { event, data } = eventOf(learnt);
    scan.learn(event, data, openText);
    for (let length = 0; length < event.length; length += 1)
      assert.equal(scan.match(event.slice(0, length), 0), -1);
    assert.equal(scan.match(`${event}${event}`, event.length), 2 * event.length);
  });

  it("stops looking for templates after eight useless ones", () => {
    const scan = new PathScan(format);
    for (let count = 0; count < 8; count += 1) {
      const { event, data } = eventOf({ delta: "a", count });
      scan.learn(event, data, openText);
      assert.equal(scan.match(eventOf({ delta: "a", count: count + 1 }).event, 0), -1);
    }
    const { event, data } = eventOf({ delta: "a", count: 9 });
    scan.learn(event, data, openText);
    assert.equal(scan.match(event, 0), -1);
  });
});
