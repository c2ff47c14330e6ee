import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { retryAfterMsIn } from "../../src/protocol/closes.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { brokenAfter, restOf } from "../doubles/background-answer.ts";
import { createGate, type Gate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { openBeside } from "../support/open-beside.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import { textOf } from "../support/wire-client.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const deltas = ["Rain ", "falls ", "on the ", "hills ", "and ", "stops."];
const events = answer({ responseId: "resp_7", deltas });
const told = events.findIndex((event) => event.includes('"and "'));
const ask = (id: string | undefined, options: object) => ({
  type: "openai_chat",
  id,
  data: { input_text: "Hi", options, pacing: { mode: "raw" } },
});

/** A server whose answers stop in their middle. Calls from the second one on go on when the gate opens. */
async function startHalfway() {
  const at = await createInterruptedServer();
  const gate = createGate();
  at.upstream.respond((_, index) => (index === 0 ? brokenAfter(told, events, { hang: true }) : halted(gate)));
  at.upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));
  // A stop's own waits are longer than this, so they end only when the test says so.
  const clock = createTestClock({ instantMs: 500 });
  const server = await at.start({ clock });
  const client = await server.connect();
  client.send(ask("long", { background: true }));
  await client.next((message) => message.type === "chunk" && message.chunk.includes("hills"));
  return {
    ...{ at, server, client, gate, clock },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await at[Symbol.asyncDispose]();
    },
  };
}

function halted(gate: Gate) {
  const [head, ...rest] = streamScript(answer({ text: "one two three" }));
  if (head === undefined) throw new Error("A script without a head.");
  return [head, ...rest.slice(0, 5), { waitFor: gate.opened }, ...rest.slice(5)];
}

type Halfway = Awaited<ReturnType<typeof startHalfway>>;

/** Stops the server while it also gives an answer that it has to wait for. */
async function stopUnderAnother({ client, server }: Halfway): Promise<{ readonly closing: Promise<void> }> {
  client.send(ask("short", {}));
  await client.next((message) => message.type === "chunk" && message.request_id === "short");
  return { closing: server.troupe.close({ drainMs: 60_000 }) };
}

async function checkLeft({ at, client }: Halfway): Promise<void> {
  const { code, reason } = await client.closed;
  assert.equal(code, 1012);
  assert.equal(typeof retryAfterMsIn(reason), "number");
  const [call] = at.upstream.requests;
  await until(() => call?.closedAtMs !== undefined);
  assert.deepEqual(at.upstream.sideRequests, []);
}

async function checkContinued(at: Halfway["at"], seen: readonly ServerMessage[]): Promise<void> {
  await using server = await at.start();
  const messages = await replay(await server.connect(), "long");
  assert.deepEqual(messages.slice(0, seen.length), seen);
  assert.equal(textOf(messages), deltas.join(""));
  const end = messages.at(-1);
  assert.ok(end?.type === "response" && end.status === "completed");
  assert.deepEqual(at.upstream.sideRequests, []);
}

const ofLong = (messages: readonly ServerMessage[]) =>
  messages.filter((message) => "request_id" in message && message.request_id === "long");

describe("a background answer beside others when the server stops", () => {
  it("runs on while other answers have their time, and is left when they have ended", async () => {
    await using stage = await startHalfway();
    const { closing } = await stopUnderAnother(stage);
    stage.client.send({ type: "ping", id: "served-on" });
    await stage.client.next((message) => message.type === "pong");
    stage.gate.open();
    const end = (await stage.client.untilTerminal("short")).at(-1);
    assert.ok(end?.type === "response" && end.status === "completed");
    await checkLeft(stage);
    await closing;
    await checkContinued(stage.at, ofLong(stage.client.received));
  });

  it("is left when the time is over, while others end as interrupted", async () => {
    await using stage = await startHalfway();
    const { closing } = await stopUnderAnother(stage);
    await stage.clock.advance(60_001);
    const end = (await stage.client.untilTerminal("short")).at(-1);
    assert.ok(end?.type === "error" && end.code === "interrupted");
    await checkLeft(stage);
    await closing;
    await checkContinued(stage.at, ofLong(stage.client.received));
  });

  it("counts as one call, with the figures of its end", async () => {
    await using stage = await startHalfway();
    await stage.server.troupe.close();
    const rows = () => {
      using database = openBeside(stage.at.database, { readOnly: true });
      return database
        .prepare("SELECT request_id, outcome FROM usage")
        .all()
        .map((row) => ({ ...row }));
    };
    assert.deepEqual(rows(), [{ request_id: "long", outcome: null }]);
    await checkContinued(stage.at, []);
    assert.deepEqual(rows(), [{ request_id: "long", outcome: "completed" }]);
  });

  it("without an id from its client is left as well, and the requests that wait after it are refused", async () => {
    await using stage = await startHalfway();
    const other = await stage.server.connect();
    stage.at.upstream.respond(brokenAfter(told, events, { hang: true }));
    other.send(ask(undefined, { background: true }));
    other.send(ask(undefined, { background: true }));
    await other.next((message) => message.type === "chunk" && message.chunk.includes("hills"));
    await stage.server.troupe.close({ drainMs: 60_000 });
    assert.equal((await other.closed).code, 1012);
    const refused = other.received.filter(({ type }) => type === "error");
    assert.ok(refused.length === 1 && refused[0]?.type === "error" && refused[0].code === "shutting_down");
  });

  it("that was stopped ends as stopped", async () => {
    await using stage = await startHalfway();
    stage.client.send({ type: "cancel", data: { request_id: "long" } });
    stage.client.send({ type: "ping" });
    await stage.client.next((message) => message.type === "pong");
    await stage.server.troupe.close({ drainMs: 60_000 });
    const end = (await stage.client.untilTerminal("long")).at(-1);
    assert.ok(end?.type === "response" && end.status === "cancelled");
  });
});
