import assert from "node:assert/strict";
import { test } from "node:test";
import { assembleTroupe } from "../../src/compose/create-troupe.ts";
import { openStores } from "../../src/compose/open-stores.ts";
import type { OpenStores } from "../../src/compose/stores.ts";
import type { Provider, ProviderEvent } from "../../src/ports/provider.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { createNotingObserver } from "../support/noting-observer.ts";
import { serveTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";

type Answer = (call: {
  readonly clock: TestClock;
  readonly signal: AbortSignal;
  /** Number of calls before this one. */
  readonly index: number;
}) => AsyncIterable<ProviderEvent[]>;

const usage = { inputTokens: 7, outputTokens: 2, totalTokens: 9, estimated: false };
const end: ProviderEvent = { type: "end", finishReason: "stop", model: "m-1", usage };

/** Accepts the call after 400 ms, and writes a text after 300 more. After another beat of 25 ms it is asked again, and ends 300 ms later. */
const steady: Answer = async function* ({ clock, signal }) {
  await clock.sleep(400, signal);
  yield [{ type: "started" }];
  await clock.sleep(300, signal);
  signal.throwIfAborted();
  yield [{ type: "text", text: "The secret answer." }];
  await clock.sleep(300, signal);
  signal.throwIfAborted();
  yield [end];
};

/** A server whose provider answers as the test says, with an observer that listens to everything. */
async function start(answer: Answer, open: OpenStores = openStores) {
  const clock = createTestClock();
  const noted = createNotingObserver();
  let calls = 0;
  const provider: Provider = {
    name: "scripted",
    simulated: false,
    stream(_, { signal }) {
      calls += 1;
      return answer({ clock, signal, index: calls - 1 });
    },
  };
  const troupe = await assembleTroupe(
    {
      providers: { choose: (api, model = "m") => ({ provider, api, model }) },
      observer: noted.observer,
      ...{ store: "memory", random: () => 0, clock },
    },
    open,
  );
  const server = await serveTroupe(troupe);
  const client = await server.connect();
  return {
    ...{ clock, noted, server, client },
    /** Passes time after the provider was called for the n-th time. */
    async pass(ms: number, nth = 1) {
      await until(() => calls >= nth);
      await clock.advance(ms);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const chat = (id: string, more: object = {}) => ({
  type: "chat",
  id,
  data: { message: "A secret question", persona_id: "teacher", pacing: { mode: "raw" }, ...more },
});

test("a completed turn and its call are told once each, with their durations and nothing of their texts", async () => {
  await using at = await start(steady);
  at.client.send(chat("r"));
  await at.pass(1_025);
  assert.deepEqual(at.noted.names(), [
    "connectionOpened",
    "turnStarted",
    "callStarted",
    "callEnded",
    "turnEnded",
  ]);
  const [[turn] = []] = at.noted.of("turnStarted");
  assert.deepEqual(
    { ...turn, conversationId: typeof turn?.conversationId },
    {
      ...{ requestId: "r", conversationId: "string", kind: "persona", lanes: 1 },
      ...{ isRecovered: false, waitedMs: 0 },
    },
  );
  const [[call] = []] = at.noted.of("callStarted");
  assert.deepEqual(call, {
    ...{ turn, personaId: "teacher", providerName: "openai", requestModel: "m", isResumed: false },
  });
  assert.deepEqual(at.noted.of("callEnded"), [
    [call, { outcome: "completed", usage, attempts: 1, durationMs: 1_025, timeToFirstChunkMs: 400 }],
  ]);
  assert.equal(at.noted.of("callEnded")[0]?.[0], call);
  assert.deepEqual(at.noted.of("turnEnded"), [
    [turn, { outcome: "completed", durationMs: 1_025, timeToFirstChunkMs: 700, overheadMs: 0 }],
  ]);
  assert.equal(at.noted.of("turnEnded")[0]?.[0], turn);
  assert.doesNotMatch(JSON.stringify(at.noted.happenings), /secret/);
});

test("the overhead of a turn is its wait for the first chunk without the provider's part", async () => {
  await using at = await start(async function* ({ clock, signal }) {
    await clock.sleep(300, signal);
    // Half a flag: the rhythm waits for the other half for at most 200 ms.
    yield [{ type: "text", text: "\u{1F1E9}" }];
    await clock.sleep(2_000, signal);
    yield [end];
  });
  at.client.send(chat("r", { pacing: { mode: "natural", max_lag_ms: 200 } }));
  await at.pass(3_000);
  const [[, told] = []] = at.noted.of("turnEnded");
  assert.deepEqual([told?.timeToFirstChunkMs, told?.overheadMs], [500, 200]);
});

test("a repeated call counts its attempts, and a failed one is told with its turn's error", async () => {
  await using at = await start(async function* ({ clock, signal, index }) {
    await clock.sleep(100, signal);
    if (index > 0) yield [{ type: "text", text: "Half" }];
    throw new TroupeError("upstream_error", { safeToRepeat: true });
  });
  at.client.send(chat("r"));
  await at.pass(725);
  const [[, ofCall] = []] = at.noted.of("callEnded");
  // The second attempt starts after a wait of 500 ms, and its failure is noticed at the next beat.
  assert.deepEqual(
    { ...ofCall, usage: ofCall?.usage?.estimated },
    {
      ...{ outcome: "failed", errorCode: "upstream_error", usage: true, attempts: 2 },
      ...{ durationMs: 725, timeToFirstChunkMs: 700 },
    },
  );
  const [[, ofTurn] = []] = at.noted.of("turnEnded");
  assert.deepEqual(
    [ofTurn?.outcome, ofTurn?.error?.code, ofTurn?.durationMs],
    ["failed", "upstream_error", 725],
  );
  assert.deepEqual(at.noted.of("laneFailed"), []);
});

test("a failed voice of several is told, and its turn completes", async () => {
  await using at = await start(async function* (call) {
    if (call.index === 1) throw new TroupeError("upstream_auth");
    yield* steady(call);
  });
  const ids = { persona_id: undefined, persona_ids: ["teacher", "skeptic"] };
  at.client.send({ ...chat("r", ids), type: "multi_chat" });
  await at.pass(1_025, 2);
  const [[turn] = []] = at.noted.of("turnStarted");
  assert.deepEqual([turn?.kind, turn?.lanes], ["personas", 2]);
  assert.deepEqual(
    at.noted
      .of("callEnded")
      .map(([{ personaId }, { outcome, errorCode }]) => [personaId, outcome, errorCode]),
    [
      ["skeptic", "failed", "upstream_auth"],
      ["teacher", "completed", undefined],
    ],
  );
  assert.deepEqual(
    at.noted.of("laneFailed").map(([of, { personaId, error }]) => [of === turn, personaId, error.code]),
    [[true, "skeptic", "upstream_auth"]],
  );
  assert.deepEqual(
    at.noted.of("turnEnded").map(([, { outcome }]) => outcome),
    ["completed"],
  );
});

test("a cancelled turn and its call are told as cancelled", async () => {
  await using at = await start(steady);
  at.client.send(chat("r"));
  await at.pass(800);
  at.client.send({ type: "cancel", data: { request_id: "r" } });
  await at.client.untilTerminal("r");
  const [[, ofCall] = []] = at.noted.of("callEnded");
  assert.deepEqual(
    [ofCall?.outcome, ofCall?.durationMs, ofCall?.timeToFirstChunkMs],
    ["cancelled", 800, 400],
  );
  assert.deepEqual(
    at.noted.of("turnEnded").map(([, told]) => told),
    [{ outcome: "cancelled", durationMs: 800, timeToFirstChunkMs: 700, overheadMs: 0 }],
  );
});

test("a refused request is no turn: its refusal is told once, with its code", async () => {
  await using at = await start(steady);
  at.client.send(chat("r", { persona_id: "nobody" }));
  at.client.sendText("{");
  await until(() => at.noted.of("refused").length === 2);
  assert.deepEqual(at.noted.of("refused"), [
    [{ at: "frame", code: "persona_not_found" }],
    [{ at: "frame", code: "invalid_json" }],
  ]);
  assert.deepEqual(at.noted.names(), ["connectionOpened", "refused", "refused"]);
});

test("the same request again starts no second turn", async () => {
  await using at = await start(steady);
  at.client.send(chat("r"));
  await at.pass(1_025);
  at.client.send(chat("r"));
  at.client.send({ type: "ping", id: "after" });
  await at.client.next(({ type }) => type === "pong");
  assert.equal(at.noted.of("turnStarted").length, 1);
  assert.equal(at.noted.of("turnEnded").length, 1);
});

/** Stores in memory whose logs take nothing. */
const fullStores: OpenStores = async (settings, parts) => {
  const stores = await openStores(settings, parts);
  const logs = Object.assign(Object.create(stores.logs) as typeof stores.logs, {
    async create(...asked: Parameters<typeof stores.logs.create>) {
      const created = await stores.logs.create(...asked);
      if (created.type === "created") created.log.append = () => Promise.reject(new Error("no room"));
      return created;
    },
  });
  return { ...stores, logs };
};

test("a turn whose end cannot be written is told as lost, after its call and the fault", async () => {
  await using at = await start(steady, fullStores);
  at.client.send(chat("r"));
  await until(() => at.noted.of("turnEnded").length === 1);
  assert.deepEqual(at.noted.names(), [
    ...["connectionOpened", "turnStarted", "callStarted", "callEnded", "faulted", "turnEnded"],
  ]);
  const [[call] = []] = at.noted.of("callEnded");
  const [[turn, end] = []] = at.noted.of("turnEnded");
  assert.equal(call?.turn, turn);
  assert.equal(end?.outcome, "lost");
  assert.deepEqual(at.noted.of("faulted"), [
    [{ where: "turn", error: new Error("no room"), requestId: "r" }],
  ]);
});
