import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ResponsesMachine } from "../../../src/adapters/openai/responses-machine.ts";
import { EventReader } from "../../../src/adapters/upstream/event-reader.ts";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { answer } from "../../doubles/answer.ts";
import { splitAt } from "../../doubles/script.ts";
import { joinTexts } from "./scan-agreement.ts";

const runs = { seed: 20_261_122, numRuns: 150 } as const;
const deltas = ["Rain ", "falls — ", "雨が", "降る ", "👩‍🚀", "."];

function read(pieces: readonly Uint8Array[]) {
  const reader = new EventReader(new ResponsesMachine({ includeReasoning: true }));
  const batches: ProviderEvent[][] = [];
  let progress = 0;
  for (const piece of pieces) {
    const { events, isProgress, failure } = reader.read(piece);
    if (isProgress) progress += 1;
    if (events.length > 0) batches.push(events);
    if (failure !== undefined) return { batches, events: batches.flat(), progress, thrown: failure.error };
  }
  return { batches, events: batches.flat(), progress, thrown: undefined };
}

function textOf(events: readonly ProviderEvent[]): string {
  return events.map((event) => (event.type === "text" ? event.text : "")).join("");
}

describe("reading an answer's bytes", () => {
  it("gives the same events however the network cuts them, a byte order mark or not", () => {
    const whole = read([Buffer.from(answer({ deltas }).join(""))]);
    assert.equal(textOf(whole.events), deltas.join(""));
    assert.equal(whole.events.at(-1)?.type, "end");
    for (const mark of ["", "\ufeff"]) {
      const bytes = Buffer.from(mark + answer({ deltas }).join(""));
      fc.assert(
        fc.property(
          fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 60 }),
          (cuts) => {
            const { events, batches } = read(
              splitAt(
                bytes,
                cuts.sort((a, b) => a - b),
              ),
            );
            assert.deepEqual(joinTexts(events), whole.events);
            for (const batch of batches) assert.deepEqual(joinTexts(batch), batch);
          },
        ),
        runs,
      );
    }
  });

  it("shows the events before an error in the same packet, and then fails", () => {
    const [created = "", inProgress = "", , , first = ""] = answer({ deltas });
    const packet = `${created}${inProgress}${first}data: {"type":"error","message":"m"}\n\ndata: never\n\n`;
    const { events, thrown } = read([Buffer.from(packet)]);
    assert.equal(textOf(events), "Rain ");
    assert.ok(thrown instanceof Error);
  });

  it("calls whole events progress, and neither comments nor half an event", () => {
    const { progress, batches } = read(
      [": ping\n\n", "event: x\n", 'data: {"type":"response.queued"}', "\n", "\n", ": ping\n\n"].map((text) =>
        Buffer.from(text),
      ),
    );
    assert.equal(progress, 1);
    assert.deepEqual(batches, []);
  });
});

/** Reads a text at once, and counts how often JSON was parsed for it. */
function countParses(text: string) {
  const bytes = Buffer.from(text);
  const parse = JSON.parse;
  let parsed = 0;
  JSON.parse = (...args) => {
    parsed += 1;
    return parse(...args);
  };
  try {
    return { ...read([bytes]), parsed };
  } finally {
    JSON.parse = parse;
  }
}

describe("consecutive deltas of one part", () => {
  it("are parsed no more often if other events come between them", () => {
    const place = { item_id: "i_1", output_index: 0, content_index: 0 };
    const delta = { type: "response.output_text.delta", ...place, delta: "x" };
    const other = { type: "response.in_progress" };
    const written = [delta, other, delta, other, delta].map((event) => `data: ${JSON.stringify(event)}\n\n`);
    const { events, parsed } = countParses(written.join(""));
    assert.equal(textOf(events), "xxx");
    // The first delta, and each other event.
    assert.equal(parsed, 3);
  });

  for (const [type, kind] of [
    ["response.output_text.delta", "text"],
    ["response.reasoning_summary_text.delta", "reasoning"],
    ["response.reasoning_text.delta", "reasoning"],
  ] as const)
    it(`${type}: one read gives one event, and parses one of them`, () => {
      const place = { item_id: "i_1", output_index: 0, content_index: 0, summary_index: 0 };
      const eventOf = (sequence_number: number) => {
        const data = JSON.stringify({ type, sequence_number, ...place, delta: `${sequence_number} ` });
        return `event: ${type}\ndata: ${data}\n\n`;
      };
      const numbers = Array.from({ length: 200 }, (_, index) => index);
      const { batches, parsed } = countParses(numbers.map(eventOf).join(""));
      assert.deepEqual(batches, [[{ type: kind, text: numbers.map((n) => `${n} `).join("") }]]);
      assert.equal(parsed, 1);
    });
});
