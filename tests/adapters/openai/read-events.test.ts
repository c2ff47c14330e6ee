import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readEvents } from "../../../src/adapters/openai/read-events.ts";
import { ResponsesMachine } from "../../../src/adapters/openai/responses-machine.ts";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { answer } from "../../doubles/answer.ts";
import { splitAt } from "../../doubles/script.ts";
import { joinTexts } from "./scan-agreement.ts";

const runs = { seed: 20_261_122, numRuns: 150 } as const;
const deltas = ["Rain ", "falls — ", "雨が", "降る ", "👩‍🚀", "."];

async function read(pieces: readonly Uint8Array[]) {
  const machine = new ResponsesMachine({ includeReasoning: true });
  const batches: ProviderEvent[][] = [];
  let progress = 0;
  let thrown: unknown;
  const body = (async function* () {
    yield* pieces;
  })();
  try {
    for await (const batch of readEvents(body, machine, () => {
      progress += 1;
    }))
      batches.push(batch);
  } catch (error) {
    thrown = error;
  }
  return { batches, events: batches.flat(), progress, thrown };
}

function textOf(events: readonly ProviderEvent[]): string {
  return events.map((event) => (event.type === "text" ? event.text : "")).join("");
}

describe("reading an answer's bytes", () => {
  it("gives the same events however the network cuts them, a byte order mark or not", async () => {
    const whole = await read([Buffer.from(answer({ deltas }).join(""))]);
    assert.equal(textOf(whole.events), deltas.join(""));
    assert.equal(whole.events.at(-1)?.type, "end");
    for (const mark of ["", "\ufeff"]) {
      const bytes = Buffer.from(mark + answer({ deltas }).join(""));
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 60 }),
          async (cuts) => {
            const { events, batches } = await read(
              splitAt(
                bytes,
                cuts.sort((a, b) => a - b),
              ),
            );
            assert.deepEqual(joinTexts(events), whole.events);
            assert.ok(batches.every((batch) => batch.length > 0));
          },
        ),
        runs,
      );
    }
  });

  it("shows what came before an error in the same packet, and then fails", async () => {
    const [created = "", inProgress = "", , , first = ""] = answer({ deltas });
    const packet = `${created}${inProgress}${first}data: {"type":"error","message":"m"}\n\ndata: never\n\n`;
    const { events, thrown } = await read([Buffer.from(packet)]);
    assert.equal(textOf(events), "Rain ");
    assert.ok(thrown instanceof Error);
  });

  it("calls whole events progress, and neither comments nor half an event", async () => {
    const { progress, batches } = await read(
      [": ping\n\n", "event: x\n", 'data: {"type":"response.queued"}', "\n", "\n", ": ping\n\n"].map((text) =>
        Buffer.from(text),
      ),
    );
    assert.equal(progress, 1);
    assert.deepEqual(batches, []);
  });
});
