import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { answer } from "../../doubles/answer.ts";
import { brokenAfter, eventsBehind, restOf } from "../../doubles/background-answer.ts";
import type { Step } from "../../doubles/script.ts";
import { httpError, streamHead, streamScript } from "../../doubles/stream-script.ts";
import { until } from "../../support/until.ts";
import { createProviderSetup, reading } from "./provider-setup.ts";

const background = { options: { background: true }, includeReasoning: true };
const stop = new Error("stop");
const deltas = ["Rain ", "falls ", "and ", "stops."];
const events = answer({ responseId: "resp_7", deltas, reasoning: ["First ", "think."] });
/** The opening events and the first delta. */
const firstDelta = events.findIndex((event) => event.includes("Rain")) + 1;
const { signal: never } = new AbortController();

function textOf(batches: readonly ProviderEvent[][], type: "text" | "reasoning" = "text"): string {
  return batches
    .flat()
    .flatMap((event) => (event.type === type ? [event.text] : []))
    .join("");
}

/** The waits between two connections pass at once. */
const quickSetup = () => createProviderSetup({ instantMs: 10_000 });

const breaks: Record<string, Step> = {
  reset: { reset: true },
  "ends its stream": { end: true },
  "cuts its stream": { fin: true },
};

describe("a response in the background", () => {
  for (const [how, fault] of Object.entries(breaks)) {
    it(`goes on after the last event, for every event after which the connection ${how}`, async () => {
      for (let position = 1; position < events.length; position += 1) {
        await using at = await quickSetup();
        at.double.respond(brokenAfter(position, events, fault));
        at.double.respondToRetrieval((retrieval) => restOf(retrieval, events));
        const call = reading(at, never, background);
        assert.equal(await call.ended, undefined, `after ${position} events`);
        assert.equal(textOf(call.batches), deltas.join(""));
        assert.equal(textOf(call.batches, "reasoning"), "First think.");
        assert.equal(call.batches.flat().at(-1)?.type, "end");
        assert.equal(at.double.requests.length, 1);
        // A kept connection that the double is closing may take the first of the two calls.
        assert.deepEqual(
          [...new Set(at.double.retrievals.map(({ path }) => path))],
          [`/v1/responses/resp_7?stream=true&starting_after=${position - 1}`],
        );
        assert.equal(at.clock.sleeping, 0);
      }
    });
  }

  it("goes on if every connection brings only one event", async () => {
    await using at = await quickSetup();
    at.double.respond(brokenAfter(1, events, { reset: true }));
    at.double.respondToRetrieval((retrieval) =>
      brokenAfter(1, eventsBehind(retrieval, events), { fin: true }),
    );
    const call = reading(at, never, background);
    assert.equal(await call.ended, undefined);
    assert.equal(textOf(call.batches), deltas.join(""));
    assert.equal(at.double.retrievals.length, events.length - 1);
  });

  it("skips repeated events, and accepts a gap in the numbers", async () => {
    await using at = await quickSetup();
    const gap = answer({ responseId: "resp_7", deltas }).map((event, index) =>
      index > 5
        ? event.replace(/"sequence_number":(\d+)/, (_, n) => `"sequence_number":${Number(n) + 10}`)
        : event,
    );
    at.double.respond(brokenAfter(7, gap, { reset: true }));
    at.double.respondToRetrieval(() => streamScript(gap));
    const call = reading(at, never, background);
    assert.equal(await call.ended, undefined);
    assert.equal(textOf(call.batches), deltas.join(""));
  });

  it("that falls silent is asked for again", async () => {
    await using at = await quickSetup();
    at.double.respond(brokenAfter(firstDelta, events, { hang: true }));
    at.double.respondToRetrieval((retrieval) => restOf(retrieval, events));
    const call = reading(at, never, background);
    await call.texts(1);
    await at.clock.advance(300_000);
    assert.equal(await call.ended, undefined);
    assert.equal(textOf(call.batches), deltas.join(""));
  });

  it("is asked for again while the API fails for a time", async () => {
    await using at = await quickSetup();
    at.double.respond(brokenAfter(firstDelta, events, { reset: true }));
    at.double.respondToRetrieval((retrieval, index) =>
      index < 5 ? httpError(503, "down") : restOf(retrieval, events),
    );
    const call = reading(at, never, background);
    assert.equal(await call.ended, undefined);
    assert.equal(textOf(call.batches), deltas.join(""));
    assert.equal(at.double.retrievals.length, 6);
  });

  it("that is no longer available ends with the error that broke it, after a limited number of tries", async () => {
    for (const [retrieved, tries] of [
      [httpError(404, { message: "no", type: "invalid_request_error", code: null }), 1],
      [httpError(503, "down"), 12],
      [[streamHead(), { reset: true }] as const, 12],
    ] as const) {
      await using at = await quickSetup();
      at.double.respond(brokenAfter(firstDelta, events, { reset: true }));
      at.double.respondToRetrieval(() => retrieved);
      const call = reading(at, never, background);
      const error = await call.ended;
      assert.ok(error instanceof TroupeError);
      assert.equal(error.code, "upstream_disconnected");
      assert.equal(at.double.retrievals.length, tries);
      assert.equal(textOf(call.batches), "Rain ");
      assert.equal(at.clock.sleeping, 0);
    }
  });

  it("that failed at the API ends as that failure", async () => {
    await using at = await quickSetup();
    const failing = answer({
      responseId: "resp_7",
      deltas,
      ending: { status: "failed", code: "server_error", message: "no" },
    });
    at.double.respond(brokenAfter(6, failing, { reset: true }));
    at.double.respondToRetrieval((retrieval) => restOf(retrieval, failing));
    const error = await reading(at, never, background).ended;
    assert.ok(error instanceof TroupeError && error.code === "upstream_error");
    assert.equal(at.double.retrievals.length, 1);
  });

  it("is cancelled at the API while it waits for the next connection, and before it throws", async () => {
    await using at = await createProviderSetup();
    at.double.respond(brokenAfter(firstDelta, events, { reset: true }));
    const controller = new AbortController();
    const call = reading(at, controller.signal, background);
    await call.texts(1);
    await until(() => at.connections() === 0);
    controller.abort(stop);
    assert.equal(await call.ended, stop);
    assert.deepEqual(
      at.double.sideRequests.map(({ path }) => path),
      ["/v1/responses/resp_7/cancel"],
    );
    assert.equal(at.clock.sleeping, 0);
  });

  it("is taken up by another call from every checkpoint, with no gap and no repeat", async () => {
    await using at = await quickSetup();
    at.double.respond(streamScript(events));
    at.double.respondToRetrieval((retrieval) => restOf(retrieval, events));
    const whole = reading(at, never, background);
    assert.equal(await whole.ended, undefined);
    const seen: ProviderEvent[] = [];
    let checkpoints = 0;
    for (const event of whole.batches.flat()) {
      if (event.type !== "checkpoint") {
        seen.push(event);
        continue;
      }
      checkpoints += 1;
      const rest = reading(at, never, background, event.place);
      assert.equal(await rest.ended, undefined);
      for (const type of ["text", "reasoning"] as const)
        assert.equal(textOf([seen], type) + textOf(rest.batches, type), textOf(whole.batches, type));
      assert.equal(rest.batches.flat().at(-1)?.type, "end");
    }
    assert.ok(checkpoints > deltas.length);
    assert.equal(at.double.requests.length, 1);
  });

  it("that another process started and that is unknown by now is interrupted", async () => {
    await using at = await quickSetup();
    for (const place of [
      { responseId: "resp_9", sequenceNumber: 3, sawText: true, reasoningParts: 0 },
      { of: "another version" },
    ]) {
      const error = await reading(at, never, background, place).ended;
      assert.ok(error instanceof TroupeError && error.code === "interrupted");
    }
    assert.equal(at.double.requests.length, 0);
  });
});

it("a response that does not run in the background ends with its connection, and has no checkpoints", async () => {
  await using at = await quickSetup();
  at.double.respond(brokenAfter(firstDelta, events, { reset: true }));
  const call = reading(at);
  const error = await call.ended;
  assert.ok(error instanceof TroupeError && error.code === "upstream_disconnected");
  assert.deepEqual(at.double.retrievals, []);
  assert.ok(call.batches.flat().every(({ type }) => type !== "checkpoint"));
});
