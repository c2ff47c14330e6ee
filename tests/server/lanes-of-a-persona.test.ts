import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMemoryTurnLogs } from "../../src/adapters/turn-log/memory-turn-logs.ts";
import { Cancellation } from "../../src/chat/chat-context.ts";
import { laneKey, type TurnEvent } from "../../src/ports/turn-event.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { TurnInProgress } from "../../src/server/running-turn.ts";
import { request } from "../chat/ask-personas.ts";
import { createTestClock } from "../support/test-clock.ts";

const key = (personaId: string, round: number) => laneKey({ personaId, round });

const ended = (personaId: string, lane: string): TurnEvent => ({
  type: "lane-answer",
  answer: {
    persona: { id: personaId, name: personaId, description: "" },
    ...{ lane, index: 0, status: "completed", text: "Well.", model: "m", api: "openai", simulated: false },
  },
});

async function startTurn() {
  const clock = createTestClock();
  const logs = createMemoryTurnLogs({ clock, retentionMs: 1_000, maxBytes: 1_000_000 });
  const record = { owner: "o", id: "r", contentHash: "h" };
  const created = await logs.create(record);
  assert.ok(created.type === "created");
  return new TurnInProgress({
    ...{ record, log: created.log, request, conversationId: undefined, clock },
    ...{ lanes: [key("ada", 0), key("bob", 0)], whenUnwatched: "finish", turnLimitMs: 60_000 },
  });
}

const isRefusal = (code: string) => (error: unknown) => error instanceof TroupeError && error.code === code;

describe("a persona with several lanes in a turn", () => {
  it("is stopped in all lanes that run, and in those that start later", async () => {
    const turn = await startTurn();
    const { laneSignal } = turn.signals;
    const later = laneSignal(key("ada", 1));
    turn.cancel("ada");
    for (const signal of [laneSignal(key("ada", 0)), later, laneSignal(key("ada", 2))])
      assert.ok(signal.reason instanceof Cancellation);
    assert.equal(laneSignal(key("bob", 0)).aborted, false);
    assert.equal(laneSignal(key("bob", 1)).aborted, false);
    turn.dispose();
  });

  it("keeps the lanes that have ended, and is refused a stop when all have", async () => {
    const turn = await startTurn();
    const first = turn.signals.laneSignal(key("ada", 0));
    turn.observe([ended("ada", key("ada", 0))]);
    assert.throws(() => turn.cancel("ada"), isRefusal("request_ended"));
    const second = turn.signals.laneSignal(key("ada", 1));
    turn.cancel("ada");
    assert.deepEqual([first.aborted, second.aborted], [false, true]);
    assert.throws(() => turn.cancel("cleo"), isRefusal("persona_not_found"));
    turn.dispose();
  });

  it("is stopped with its turn, also in a lane that starts after the stop", async () => {
    const turn = await startTurn();
    const first = turn.signals.laneSignal(key("bob", 0));
    turn.cancel();
    assert.ok(first.aborted && turn.signals.laneSignal(key("bob", 1)).aborted);
    turn.dispose();
  });
});
