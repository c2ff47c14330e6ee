import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createMortalThreads } from "../crash/mortal-threads.ts";
import { openBeside } from "../support/open-beside.ts";
import { createTestClock } from "../support/test-clock.ts";
import { whole } from "./half-and-whole.ts";
import { halfUntil } from "./half-until.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const personas = ["teacher", "skeptic"];

interface Crash {
  readonly onInterrupt: "restart" | "error";
  readonly stopped: readonly string[];
  /** The server dies before the last chunks of the stopped lanes are stored. */
  readonly isEarly?: boolean;
  readonly stream?: boolean;
}

/** Stops lanes, lets the server die, and returns the rest that the next server tells, with the number of its calls. */
async function stopAndDie({ onInterrupt, stopped, isEarly = false, stream = true }: Crash) {
  using threads = createMortalThreads();
  await using at = await createInterruptedServer();
  const gate = Promise.withResolvers<void>();
  let seen: readonly ServerMessage[];
  {
    const provider = halfUntil(gate.promise);
    // A stopped lane waits 2 s for its provider, longer than this clock moves by itself.
    const clock = createTestClock({ instantMs: 500 });
    await using server = await at.start({
      clock,
      providers: { choose: (api) => ({ provider, api, model: "m" }) },
    });
    const client = await server.connect();
    const data = { message: "Hi", persona_ids: personas, stream, on_interrupt: onInterrupt };
    client.send({ type: "multi_chat", id: "r", data: { ...data, pacing: { mode: "raw" } } });
    for (const persona of personas)
      await client.next(
        (message) =>
          message.type === "status" && message.status === "streaming" && message.persona_id === persona,
      );
    if (!isEarly)
      for (const persona_id of stopped) {
        client.send({ type: "cancel", data: { request_id: "r", persona_id } });
        await client.next((message) => message.type === "cancelling" && message.persona_id === persona_id);
      }
    await threads.die();
    seen = client.received.filter((message) => "seq" in message);
    gate.resolve();
  }
  if (isEarly) {
    using database = openBeside(at.database);
    database.prepare("UPDATE turns SET stopped_personas = ?").run(JSON.stringify(stopped));
  }
  let calls = 0;
  const provider = {
    ...whole,
    stream: (...call: Parameters<typeof whole.stream>) => {
      calls += 1;
      return whole.stream(...call);
    },
  };
  await using server = await at.start({ providers: { choose: (api) => ({ provider, api, model: "m" }) } });
  const messages = await replay(await server.connect(), "r");
  assert.deepEqual(messages.slice(0, seen.length), seen);
  return { messages, calls };
}

function endsOf(messages: readonly ServerMessage[]) {
  const end = messages.at(-1);
  assert.ok(end?.type === "response" && end.request_type === "multi_chat", JSON.stringify(end));
  const lanes = end.data.responses.map(({ status, response }) => [status, response]);
  return { status: end.status, outcome: end.data.outcome, lanes };
}

const finals = (messages: readonly ServerMessage[], persona: string) =>
  messages.filter(
    (message) => message.type === "chunk" && message.is_final && message.persona_id === persona,
  );

describe("a lane whose stop was accepted before a crash", () => {
  for (const isEarly of [false, true])
    it(`keeps its text and is not answered again, for a crash ${isEarly ? "before" : "after"} its last chunk`, async () => {
      const { messages, calls } = await stopAndDie({ onInterrupt: "restart", stopped: ["skeptic"], isEarly });
      assert.deepEqual(endsOf(messages), {
        status: "completed",
        outcome: "degraded",
        lanes: [
          ["completed", "Whole."],
          ["cancelled", "Half"],
        ],
      });
      assert.equal(calls, 1);
      assert.equal(finals(messages, "skeptic").length, 1);
      const reset = messages.find(({ type }) => type === "reset");
      assert.ok(reset?.type === "reset");
      assert.deepEqual(reset.lanes, [{ persona_id: "teacher", text: "" }]);
    });

  it("has no chunks in a multi_chat without chunks", async () => {
    const { messages, calls } = await stopAndDie({
      ...{ onInterrupt: "restart", stopped: ["skeptic"], isEarly: true, stream: false },
    });
    assert.deepEqual(endsOf(messages).lanes, [
      ["completed", "Whole."],
      ["cancelled", ""],
    ]);
    assert.deepEqual([calls, messages.filter(({ type }) => type === "chunk")], [1, []]);
  });

  it("ends the turn as stopped if no other lane is left, without a call", async () => {
    const { messages, calls } = await stopAndDie({
      onInterrupt: "restart",
      stopped: personas,
      isEarly: true,
    });
    assert.deepEqual(endsOf(messages), {
      status: "cancelled",
      outcome: "degraded",
      lanes: [
        ["cancelled", "Half"],
        ["cancelled", "Half"],
      ],
    });
    assert.equal(calls, 0);
  });

  it("does not make the turn go on that did not ask for it", async () => {
    const { messages, calls } = await stopAndDie({ onInterrupt: "error", stopped: ["skeptic"] });
    const end = messages.at(-1);
    assert.ok(end?.type === "error" && end.code === "interrupted");
    assert.equal(calls, 0);
  });
});
