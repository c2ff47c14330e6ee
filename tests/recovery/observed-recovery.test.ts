import assert from "node:assert/strict";
import { test } from "node:test";
import type { Provider } from "../../src/ports/provider.ts";
import { createMortalThreads } from "../crash/mortal-threads.ts";
import { createNotingObserver } from "../support/noting-observer.ts";
import { until } from "../support/until.ts";
import { hanging, whole } from "./half-and-whole.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const ask = (id: string, on_interrupt: string) => ({
  type: "chat",
  id,
  data: {
    message: "Hi",
    persona_id: "teacher",
    conversation_id: "new",
    on_interrupt,
    pacing: { mode: "raw" },
  },
});

const answeredBy = (provider: Provider) => ({
  providers: { choose: (api: string) => ({ provider, api, model: "m" }) },
});

test("a left turn ends at its process as left, and is told at the next one as recovered", async () => {
  await using at = await createInterruptedServer();
  const before = createNotingObserver();
  {
    await using server = await at.start({ ...answeredBy(hanging), observer: before.observer });
    const client = await server.connect();
    for (const [id, onInterrupt] of [
      ["goes-on", "restart"],
      ["ends", "error"],
    ] as const) {
      client.send(ask(id, onInterrupt));
      await client.next((message) => message.type === "chunk" && message.request_id === id);
    }
    await server.troupe.close({ drainMs: 0 });
  }
  const ends = before
    .of("turnEnded")
    .map(([{ requestId }, { outcome, error }]) => [requestId, outcome, error?.code]);
  assert.deepEqual(ends.sort(), [
    ["ends", "failed", "interrupted"],
    ["goes-on", "left", undefined],
  ]);
  assert.deepEqual(
    before.of("callEnded").map(([, { outcome }]) => outcome),
    ["interrupted", "interrupted"],
  );

  const after = createNotingObserver();
  await using server = await at.start({ ...answeredBy(whole), observer: after.observer });
  await replay(await server.connect(), "goes-on");
  await until(() => after.of("turnEnded").length === 1);
  assert.deepEqual(after.of("recovered"), [[{ continued: 1, interrupted: 0 }]]);
  assert.deepEqual(
    after.of("turnStarted").map(([{ requestId, isRecovered }]) => [requestId, isRecovered]),
    [["goes-on", true]],
  );
  assert.deepEqual(
    after.of("turnEnded").map(([, { outcome }]) => outcome),
    ["completed"],
  );
});

test("every event is in one commit, told with its size and its duration", async () => {
  await using at = await createInterruptedServer();
  const { observer, of } = createNotingObserver();
  await using server = await at.start({ ...answeredBy(whole), observer });
  const client = await server.connect();
  client.send(ask("r", "error"));
  const numbers = (await client.untilTerminal("r")).flatMap((message) =>
    "seq" in message ? [message.seq] : [],
  );
  const commits = of("committed").map(([commit]) => commit);
  assert.equal(
    commits.reduce((sum, { events }) => sum + events, 0),
    numbers.length,
  );
  assert.ok(numbers.length > 3);
  for (const { bytes, durationMs } of commits) assert.ok(bytes >= 0 && durationMs >= 0);
  assert.ok(commits.every(({ events, bytes }) => events === 0 || bytes > 20 * events));
});

test("a turn whose end the storage refuses is told once, after its call, and so is the failing storage", async () => {
  using threads = createMortalThreads();
  await using at = await createInterruptedServer();
  const noted = createNotingObserver();
  await using server = await at.start({ ...answeredBy(hanging), observer: noted.observer });
  const client = await server.connect();
  client.send(ask("r", "error"));
  await client.next((message) => message.type === "chunk");
  threads.refuse(true);
  client.send({ type: "cancel", data: { request_id: "r" } });
  await client.untilTerminal("r");
  await until(() => noted.of("turnEnded").length === 1);
  const ofTurn = noted.names().filter((name) => /^(turn|call)/.test(name));
  assert.deepEqual(ofTurn, ["turnStarted", "callStarted", "callEnded", "turnEnded"]);
  const [[, end] = []] = noted.of("turnEnded");
  assert.deepEqual([end?.outcome, end?.error?.code], ["failed", "storage_unavailable"]);
  assert.deepEqual(
    noted.of("storageChanged").map(([{ state }]) => state),
    ["failing"],
  );
  threads.refuse(false);
});
