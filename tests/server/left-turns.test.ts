import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryTurnLogs } from "../../src/adapters/turn-log/memory-turn-logs.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { TurnStep } from "../../src/ports/turn-event.ts";
import type { TurnLogStore, UnfinishedTurn } from "../../src/ports/turn-log.ts";
import type { ResumableRequest, WhenInterrupted } from "../../src/ports/turn-request.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { recoverTurns } from "../../src/server/recover-turns.ts";
import { createRememberLater } from "../../src/server/remember-partial.ts";
import { answering, createChatSetup } from "../chat/chat-setup.ts";
import { until } from "../support/until.ts";

const owner = "ada";
const half: TurnStep = { type: "text", lane: "teacher", text: "Half", final: false };
const end: TurnStep = { type: "failure", error: new TroupeError("interrupted") };

function request(whenInterrupted: WhenInterrupted): ResumableRequest {
  return {
    ...{ caller: { owner, keyId: "k", limits: {} }, whenUnwatched: "finish", whenInterrupted },
    request: {
      ...{ kind: "persona", input: [textMessage("user", "Hi")], personaIds: ["teacher"], api: "openai" },
      pacing: { mode: "raw", chunkChars: 50, intervalMs: 100, maxLagMs: 400 },
    },
  };
}

interface Left {
  readonly steps?: readonly TurnStep[];
  readonly whenInterrupted?: WhenInterrupted;
  readonly stops?: UnfinishedTurn["stops"];
}

/** Stores with a question, and with the turn that was answering it when its process died. */
async function setUp() {
  const { dependencies, clock } = createChatSetup(answering("Hello."));
  const { conversations, personas } = dependencies;
  const logs = createMemoryTurnLogs({ clock, retentionMs: 60_000, maxBytes: 1_000_000 });
  return {
    ...{ clock, conversations, personas, logs },
    async leftTurn(id: string, { steps = [half], whenInterrupted = "restart", stops = [] }: Left = {}) {
      const conversationId = await conversations.create(owner);
      const [question] =
        (await conversations.append(owner, conversationId, undefined, [
          { role: "user", text: "Hi", status: "completed", requestId: id },
        ])) ?? [];
      assert.ok(question !== undefined);
      await conversations.moveHead(owner, conversationId, question);
      const record = { owner, id, contentHash: "hash", conversationId };
      const created = await logs.create(record);
      assert.ok(created.type === "created");
      await created.log.append(steps);
      const turn: UnfinishedTurn = {
        ...{ record, log: created.log, steps, stops },
        request: request(whenInterrupted),
      };
      return {
        turn,
        texts: async () => (await conversations.ofRequest(owner, conversationId, id)).map(({ text }) => text),
      };
    },
    leaving: (...unfinished: UnfinishedTurn[]): TurnLogStore => ({
      ...{ isLasting: true, create: logs.create, find: logs.find, forget: logs.forget },
      unfinished: async () => unfinished,
    }),
  };
}

test("one turn that this process may not continue ends as interrupted, and the others go on", async () => {
  const { conversations, personas, leftTurn, leaving } = await setUp();
  const [first, refused, last] = [await leftTurn("first"), await leftTurn("refused"), await leftTurn("last")];
  const continued: string[] = [];
  const recovery = await recoverTurns({
    ...{ conversations, personas, logs: leaving(first.turn, refused.turn, last.turn) },
    turns: {
      async goOn({ record: { id } }) {
        if (id === "refused") throw new TroupeError("provider_not_configured");
        continued.push(id);
      },
    },
    observer: { faulted: () => assert.fail("a fault") },
  });
  assert.deepEqual(recovery, { continued: 2, interrupted: 1 });
  assert.deepEqual(continued, ["first", "last"]);
  assert.deepEqual(
    [first, refused, last].map(({ turn }) => turn.log.ended),
    [false, true, false],
  );
  assert.deepEqual(await refused.texts(), ["Hi", "Half"]);
});

const reset: TurnStep = { type: "reset", lanes: [{ lane: "teacher" }] };
for (const [name, left, goesOn] of [
  ["asks for it", {}, true],
  ["does not ask for it", { whenInterrupted: "error" }, false],
  ["was stopped", { whenInterrupted: "error", stops: [null] }, true],
  ["has only lanes that were stopped", { whenInterrupted: "error", stops: ["teacher"] }, true],
  ["has another lane that was stopped", { whenInterrupted: "error", stops: ["skeptic"] }, false],
  ["was answered again twice", { steps: [half, reset, reset] }, true],
  ["was answered again three times", { steps: [half, reset, reset, reset] }, false],
] as const)
  test(`a request that ${name} ${goesOn ? "goes on" : "ends as interrupted"} after a crash`, async () => {
    const { conversations, personas, leftTurn, leaving } = await setUp();
    const { turn } = await leftTurn("r", left);
    const recovery = await recoverTurns({
      ...{ conversations, personas, logs: leaving(turn) },
      turns: { goOn: async () => undefined },
      observer: { faulted: () => assert.fail("a fault") },
    });
    assert.deepEqual(recovery, { continued: goesOn ? 1 : 0, interrupted: goesOn ? 0 : 1 });
    assert.equal(turn.log.ended, !goesOn);
  });

for (const [code, remembered] of [
  ["storage_unavailable", ["Hi", "Half"]],
  ["upstream_error", ["Hi"]],
] as const)
  test(`a turn that ended as ${code} is ${remembered.length === 2 ? "" : "not "}put into its conversation later`, async () => {
    const { clock, conversations, personas, leftTurn } = await setUp();
    const { turn, texts } = await leftTurn("r", { steps: [half, end] });
    const observer = { faulted: () => assert.fail("a fault") };
    const later = createRememberLater({ clock, conversations, personas }, observer);
    later.noteEnd(turn, new TroupeError(code));
    await clock.advance(5_000);
    await later.close();
    assert.deepEqual(await texts(), remembered);
  });

test("a failed write is tried again until it succeeds, and reported only if it never can", async () => {
  const { clock, conversations, personas, leftTurn } = await setUp();
  const { turn, texts } = await leftTurn("r", { steps: [half, end] });
  const faults: unknown[] = [];
  let tries = 0;
  let fault: Error | undefined = new TroupeError("storage_unavailable");
  const failing: typeof conversations.append = async (...args) => {
    tries += 1;
    if (fault !== undefined) throw fault;
    return conversations.append(...args);
  };
  const stores = { clock, personas, conversations: { ...conversations, append: failing } };
  const later = createRememberLater(stores, { faulted: ({ error }) => void faults.push(error) });
  later.noteEnd(turn, new TroupeError("storage_unavailable"));
  for (let round = 1; round <= 3; round += 1) {
    await clock.advance(5_000);
    await until(() => tries === round);
  }
  assert.deepEqual([await texts(), faults], [["Hi"], []]);
  fault = new Error("The row is not valid.");
  later.noteEnd(turn, new TroupeError("storage_unavailable"));
  await clock.advance(5_000);
  await until(() => faults.length === 2);
  fault = undefined;
  await later.close();
});
