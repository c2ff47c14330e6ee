import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { inspect } from "node:util";
import { answer } from "../../doubles/answer.ts";
import { createGate } from "../../doubles/script.ts";
import { httpError, streamHead, streamScript } from "../../doubles/stream-script.ts";
import { until } from "../../support/until.ts";
import { createProviderSetup, question, reading } from "./provider-setup.ts";

const stop = new Error("stop");
const events = answer({ deltas: ["Rain ", "falls ", "and ", "stops."] });
/** The opening events and the first delta. */
const opening = events.slice(0, 5).join("");

describe("an abort of a call", () => {
  it("before the start makes no call", async () => {
    await using at = await createProviderSetup();
    assert.equal(await reading(at, AbortSignal.abort(stop)).ended, stop);
    assert.equal(at.connections(), 0);
    assert.equal(at.double.requests.length, 0);
    assert.equal(at.clock.sleeping, 0);
  });

  it("at any moment of connecting throws its reason and leaves no connection and no call that goes on", async () => {
    for (let ticks = 0; ticks < 40; ticks += 1) {
      await using at = await createProviderSetup();
      at.double.respond([streamHead(), { hang: true }]);
      const controller = new AbortController();
      const call = reading(at, controller.signal);
      for (let tick = 0; tick < ticks; tick += 1) await (tick < 25 ? undefined : nextLoopTurn());
      controller.abort(stop);
      assert.equal(await call.ended, stop);
      await until(() => at.double.openConnections() === 0);
      assert.equal(at.clock.sleeping, 0);
      assert.deepEqual(call.batches, []);
    }
  });

  it("while it waits for the head throws its reason only when the connection is closed", async () => {
    await using at = await createProviderSetup();
    at.double.respond([{ hang: true }]);
    const controller = new AbortController();
    const call = reading(at, controller.signal);
    const request = await at.double.received(1);
    assert.equal(at.connections(), 1);
    controller.abort(stop);
    assert.equal(await call.ended, stop);
    assert.equal(at.connections(), 0);
    await at.double.closed(request);
  });

  it("in the middle of the answer throws its reason only when the connection is closed", async () => {
    await using at = await createProviderSetup();
    at.double.respond([streamHead(), { write: opening }, { hang: true }]);
    const controller = new AbortController();
    const call = reading(at, controller.signal);
    await call.texts(1);
    const before = call.batches.length;
    controller.abort(stop);
    assert.equal(await call.ended, stop);
    assert.equal(at.connections(), 0);
    assert.equal(call.batches.length, before);
    assert.equal(at.clock.sleeping, 0);
  });

  it("closes the connection and ignores late bytes if the API goes on sending", async () => {
    await using at = await createProviderSetup();
    const delta = events[4] ?? "";
    at.double.respond([
      { ignoreAbort: true },
      streamHead(),
      { write: opening },
      { repeat: [{ write: delta }] },
    ]);
    const controller = new AbortController();
    const call = reading(at, controller.signal);
    await call.texts(3);
    controller.abort(stop);
    const before = call.batches.length;
    assert.equal(await call.ended, stop);
    assert.equal(call.batches.length, before);
    assert.equal(at.connections(), 0);
  });

  it("while its reader is busy closes the connection at once, and throws when the reader asks again", async () => {
    await using at = await createProviderSetup();
    at.double.respond([streamHead(), { write: opening }, { hang: true }]);
    const controller = new AbortController();
    const batches = at.provider.stream(question, controller)[Symbol.asyncIterator]();
    await batches.next();
    controller.abort(stop);
    await until(() => at.connections() === 0);
    await assert.rejects(batches.next(), stop);
  });

  it("yields nothing more even if the whole answer has already arrived", async () => {
    await using at = await createProviderSetup();
    const gate = createGate();
    at.double.respond([
      streamHead(),
      { write: opening },
      { waitFor: gate.opened },
      { write: events.slice(5).join("") },
    ]);
    const controller = new AbortController();
    const batches = at.provider.stream(question, controller)[Symbol.asyncIterator]();
    await batches.next();
    gate.open();
    await until(() => at.double.requests[0]?.finished === true);
    for (let turn = 0; turn < 20; turn += 1) await nextLoopTurn();
    controller.abort(stop);
    await assert.rejects(batches.next(), stop);
    assert.equal(at.clock.sleeping, 0);
  });

  it("after the end changes nothing", async () => {
    await using at = await createProviderSetup();
    at.double.respond(streamScript([events.join("")]));
    const controller = new AbortController();
    const batches = at.provider.stream(question, controller)[Symbol.asyncIterator]();
    const { value } = await batches.next();
    assert.equal(value?.at(-1)?.type, "end");
    controller.abort(stop);
    assert.equal((await batches.next()).done, true);
    assert.equal(at.clock.sleeping, 0);
  });

  it("has the same effect as a leaving reader: the connection is closed as well", async () => {
    await using at = await createProviderSetup();
    at.double.respond([streamHead(), { write: opening }, { hang: true }]);
    for await (const _ of at.provider.stream(question, new AbortController())) break;
    assert.equal(at.connections(), 0);
    assert.equal(at.clock.sleeping, 0);
  });
});

describe("an abort of a response in the background", () => {
  const background = { options: { background: true } };

  it("cancels it at the API as well, and before it throws", async () => {
    await using at = await createProviderSetup();
    at.double.respond([
      streamHead(),
      { write: answer({ responseId: "resp_7" }).slice(0, 5).join("") },
      { hang: true },
    ]);
    const controller = new AbortController();
    const call = reading(at, controller.signal, background);
    await call.texts(1);
    controller.abort(stop);
    assert.equal(await call.ended, stop);
    assert.deepEqual(
      at.double.sideRequests.map(({ method, path }) => [method, path]),
      [["POST", "/v1/responses/resp_7/cancel"]],
    );
    assert.deepEqual(at.warnings, []);
  });

  for (const [what, answerToCancel] of [
    ["is refused", httpError(500, "no, key-of-a-test")],
    ["has no answer", [{ hang: true }]],
    ["has an answer without an end", [streamHead(), { hang: true }]],
  ] as const) {
    it(`that ${what} is a warning without the key, and never delays the end by more than 10 s`, async () => {
      // Under another path, the double lets the script answer the cancelling of a response.
      await using at = await createProviderSetup({ baseUrl: (double) => `${double}/elsewhere` });
      at.double.respond(({ path }) =>
        path.endsWith("/cancel") ? answerToCancel : [streamHead(), { write: opening }, { hang: true }],
      );
      const controller = new AbortController();
      const call = reading(at, controller.signal, background);
      await call.texts(1);
      controller.abort(stop);
      await at.double.received(2);
      if (what !== "is refused") await at.clock.advance(10_000);
      assert.equal(await call.ended, stop);
      assert.equal(at.warnings.length, 1);
      assert.equal(inspect(at.warnings).includes("key-of-a-test"), false);
      assert.equal(at.clock.sleeping, 0);
    });
  }

  it("is not sent if the response does not run in the background, has no id yet, or has ended", async () => {
    await using at = await createProviderSetup();
    const calls: readonly [string, object][] = [
      [opening, {}],
      [opening, { options: { background: false } }],
      ["", background],
    ];
    for (const [write, changes] of calls) {
      at.double.respond([streamHead(), { write }, { hang: true }]);
      const controller = new AbortController();
      const count = at.double.requests.length;
      const call = reading(at, controller.signal, changes);
      await (write === "" ? at.double.received(count + 1) : call.texts(1));
      controller.abort(stop);
      assert.equal(await call.ended, stop);
    }
    at.double.respond(streamScript(events));
    assert.equal(await reading(at, new AbortController().signal, background).ended, undefined);
    assert.deepEqual(at.double.sideRequests, []);
  });
});
