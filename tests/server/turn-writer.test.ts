import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Departure } from "../../src/ports/provider.ts";
import type { TurnEvent, TurnStep } from "../../src/ports/turn-event.ts";
import type { TurnLog } from "../../src/ports/turn-log.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { TurnWriter, writeReply } from "../../src/server/turn-writer.ts";

const text = (words: string): TurnEvent => ({ type: "text", text: words, final: false });
const end: TurnEvent = { type: "failure", error: new TroupeError("interrupted") };

/** A writer into a log whose appends settle when the test says so. Its first append is over. */
async function setUp({ isLeft }: { isLeft: () => boolean } = { isLeft: () => false }) {
  const appends: { readonly steps: readonly TurnStep[]; readonly done: PromiseWithResolvers<void> }[] = [];
  const observed: TurnStep[] = [];
  const log: Pick<TurnLog, "append"> = {
    append(steps) {
      const done = Promise.withResolvers<void>();
      appends.push({ steps: [...steps], done });
      return done.promise;
    },
  };
  const writer = new TurnWriter(log as TurnLog, {
    isLeft,
    observers: [{ observe: (steps) => void observed.push(...steps) }],
  });
  async function settle(index: number, fault?: Error) {
    await new Promise((resolve) => setImmediate(resolve));
    const { done } = appends[index] ?? {};
    if (fault === undefined) done?.resolve();
    else done?.reject(fault);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const first = ["zero", "and zero"].map((words) => writer.emit([text(words)]));
  await settle(0);
  await Promise.all(first);
  const before = { appends: appends.splice(0), observed: observed.splice(0) };
  return { writer, appends, observed, settle, before };
}

const wordsOf = (steps: readonly TurnStep[]) =>
  steps.map((step) => (step.type === "text" ? step.text : step.type));

describe("writing the texts of a turn's voices", () => {
  it("makes one append of the first texts of all voices", async () => {
    const { before } = await setUp();
    assert.deepEqual(
      before.appends.map(({ steps }) => wordsOf(steps)),
      [["zero", "and zero"]],
    );
    assert.deepEqual(wordsOf(before.observed), ["zero", "and zero"]);
  });

  it("appends one batch at a time, and joins the texts of the meantime", async () => {
    const { writer, appends, observed, settle } = await setUp();
    const said = ["one", "two", "three"].map((words) => writer.emit([text(words)]));
    assert.deepEqual(
      appends.map(({ steps }) => wordsOf(steps)),
      [["one"]],
    );
    await settle(0);
    assert.deepEqual(wordsOf(observed), ["one"]);
    await said[0];
    const later = writer.emit([text("four")]);
    assert.deepEqual(wordsOf(appends[1]?.steps ?? []), ["two", "three"]);
    await settle(1);
    await Promise.all(said);
    assert.deepEqual(wordsOf(appends[2]?.steps ?? []), ["four"]);
    await settle(2);
    await later;
    assert.deepEqual(wordsOf(observed), ["one", "two", "three", "four"]);
  });

  it("lets no writer that is told of its append go before those that waited", async () => {
    const { writer, appends, settle } = await setUp();
    const said = writer.emit([text("one")]).then(() => writer.emit([text("three")]));
    const waited = writer.emit([text("two")]);
    await settle(0);
    assert.deepEqual(
      appends.map(({ steps }) => wordsOf(steps)),
      [["one"], ["two", "three"]],
    );
    await settle(1);
    await Promise.all([said, waited]);
  });

  it("appends nothing but the end after an append that failed", async () => {
    const { writer, appends, observed, settle } = await setUp();
    const fault = new Error("no room");
    const refused = [writer.emit([text("one")]), writer.emit([text("two")])].map((said) =>
      assert.rejects(said, fault),
    );
    await settle(0, fault);
    await Promise.all(refused);
    await assert.rejects(writer.emit([text("three")]), fault);
    assert.deepEqual(observed, []);
    const ended = writer.end(() => [end]);
    await settle(1);
    await ended;
    assert.deepEqual(
      appends.map(({ steps }) => wordsOf(steps)),
      [["one"], ["failure"]],
    );
  });

  it("puts the end after the present append, and refuses later texts", async () => {
    const { writer, appends, observed, settle } = await setUp();
    const said = writer.emit([text("one")]);
    const waiting = assert.rejects(writer.emit([text("two")]), /has ended/);
    const ended = writer.end(() => {
      assert.deepEqual(wordsOf(observed), ["one"]);
      return [end];
    });
    assert.equal(appends.length, 1);
    await settle(0);
    await said;
    await waiting;
    await settle(1);
    await ended;
    assert.deepEqual(wordsOf(appends[1]?.steps ?? []), ["failure"]);
    await assert.rejects(writer.emit([text("three")]), /has ended/);
    assert.equal(appends.length, 2);
  });

  it("puts steps that are to go with the next ones into their append, whichever they are", async () => {
    const { writer, appends, observed, settle } = await setUp();
    writer.emitWithNext([text("one")]);
    assert.equal(appends.length, 0);
    const said = writer.emit([text("two")]);
    writer.emitWithNext([text("three")]);
    const ended = writer.end(() => [end]);
    await settle(0);
    await said;
    await settle(1);
    await ended;
    assert.deepEqual(
      appends.map(({ steps }) => wordsOf(steps)),
      [
        ["one", "two"],
        ["three", "failure"],
      ],
    );
    assert.deepEqual(wordsOf(observed), ["one", "two", "three"]);
  });

  it("takes no steps for the next append once one has failed or the turn was left", async () => {
    let isLeft = false;
    const { writer, settle } = await setUp({ isLeft: () => isLeft });
    const fault = new Error("no room");
    const refused = assert.rejects(writer.emit([text("one")]), fault);
    await settle(0, fault);
    await refused;
    assert.throws(() => writer.emitWithNext([text("two")]), fault);
    const left = await setUp({ isLeft: () => isLeft });
    isLeft = true;
    assert.throws(() => left.writer.emitWithNext([text("two")]), Departure);
  });

  it("writes nothing of a turn that was left", async () => {
    let isLeft = false;
    const { writer, appends, settle } = await setUp({ isLeft: () => isLeft });
    const said = writer.emit([text("one")]);
    const next = assert.rejects(writer.emit([text("two")]), Departure);
    isLeft = true;
    await settle(0);
    await said;
    await next;
    assert.equal(appends.length, 1);
  });
});

describe("writing a reply", () => {
  const lane = (status: "starting" | "completed"): TurnEvent => ({
    type: "status",
    status,
    simulated: false,
  });
  const last: TurnEvent = { type: "text", text: "last", final: true };

  /** Writes a reply that throws after its last text was put before the end. */
  async function written(failsAt?: number) {
    const appends: string[][] = [];
    const log: Pick<TurnLog, "append"> = {
      async append(steps) {
        appends.push(wordsOf(steps));
        if (appends.length === failsAt) throw new Error("no room");
      },
    };
    const terminal = await writeReply(
      log,
      async ({ emit, emitWithNext }) => {
        await emit([lane("starting")]);
        emitWithNext?.([last, lane("completed")]);
        throw new TroupeError("internal_error");
      },
      { isLeft: () => false, observers: [] },
    );
    assert.equal(terminal?.type, "failure");
    return appends;
  }

  it("keeps the last text of a lane whose reply fails after it, and adds no other", async () => {
    assert.deepEqual(await written(), [["status"], ["last", "status"], ["failure"]]);
  });

  it("gives such a lane an empty last text if its own could not be stored", async () => {
    assert.deepEqual(await written(2), [["status"], ["last", "status"], ["", "failure"]]);
  });
});
