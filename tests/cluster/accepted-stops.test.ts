import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { halfUntil } from "../recovery/half-until.ts";
import { type ClusterServer, startCluster } from "../support/start-cluster.ts";
import { createTestClock } from "../support/test-clock.ts";

const personas = ["teacher", "skeptic"];

/** Two servers whose provider says half of each answer and then nothing, until the gate opens. */
async function startHalfway() {
  const gate = Promise.withResolvers<void>();
  const half = halfUntil(gate.promise);
  let calls = 0;
  const provider: typeof half = {
    ...half,
    stream(...call) {
      calls += 1;
      return half.stream(...call);
    },
  };
  const options: TroupeOptions = {
    clock: createTestClock({ instantMs: 500 }),
    providers: { choose: (api) => ({ provider, api, model: "m" }) },
  };
  const cluster = await startCluster(2, options);
  const [first, second] = cluster.servers as [ClusterServer, ClusterServer];
  return {
    ...{ first, second, store: cluster.store, calls: () => calls },
    async [Symbol.asyncDispose]() {
      gate.resolve();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

type System = Awaited<ReturnType<typeof startHalfway>>;

/** Asks the first server, and sends a stop with these fields to one of them. */
async function askAndStop({ first, second }: System, at: "its" | "another", stop: object): Promise<void> {
  const asking = await first.connect();
  const data = { message: "Hi", persona_ids: personas, on_interrupt: "restart", pacing: { mode: "raw" } };
  asking.send({ type: "multi_chat", id: "r", data });
  for (const persona of personas)
    await asking.next((message) => message.type === "chunk" && message.persona_id === persona);
  const stopping = at === "its" ? asking : await second.connect();
  stopping.send({ type: "cancel", data: { request_id: "r", ...stop } });
  await stopping.next(({ type }) => type === "cancelling");
}

describe("a stop that was accepted by a server which is gone", () => {
  for (const at of ["its", "another"] as const) {
    it(`holds for the whole turn, through ${at} server`, async () => {
      await using system = await startHalfway();
      await askAndStop(system, at, {});
      const [row] = await system.store.read("runningTurns");
      assert.deepEqual([row?.stopped, row?.stopped_personas], [1, null]);
      const follower = await system.second.connect();
      system.first.die();
      follower.send({ type: "resume", data: { request_id: "r", after_seq: 0 } });
      const end = (await follower.untilTerminal("r")).at(-1);
      assert.ok(end?.type === "response" && end.status === "cancelled", JSON.stringify(end));
      assert.equal(system.calls(), 2);
    });

    it(`holds for a lane, through ${at} server`, async () => {
      await using system = await startHalfway();
      await askAndStop(system, at, { persona_id: "skeptic" });
      const [row] = await system.store.read("runningTurns");
      assert.deepEqual([row?.stopped, row?.stopped_personas], [0, '["skeptic"]']);
      const follower = await system.second.connect();
      system.first.die();
      follower.send({ type: "resume", data: { request_id: "r", after_seq: 0 } });
      const ended = await follower.next(({ type }) => type === "persona_response");
      assert.ok(ended.type === "persona_response");
      assert.deepEqual([ended.persona_id, ended.status, ended.response], ["skeptic", "cancelled", "Half"]);
      const reset = follower.received.find(({ type }) => type === "reset");
      assert.ok(reset?.type === "reset");
      assert.deepEqual(reset.lanes, [{ persona_id: "teacher", text: "" }]);
      await follower.next(
        (message) => message.type === "chunk" && message.persona_id === "teacher" && message.chunk !== "",
      );
      assert.equal(system.calls(), 3);
    });
  }
});
