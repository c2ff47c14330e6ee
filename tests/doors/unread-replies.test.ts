import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryTurnLogs } from "../../src/adapters/memory/memory-turn-logs.ts";
import { createMemoryUsage } from "../../src/adapters/memory/memory-usage.ts";
import { sha256 } from "../../src/adapters/system/sha-256.ts";
import { openBudgets } from "../../src/compose/open-budgets.ts";
import { defaultSettings } from "../../src/compose/settings.ts";
import { Connection } from "../../src/doors/websocket/connection.ts";
import { createAdmission } from "../../src/server/admission.ts";
import { Session } from "../../src/server/session.ts";
import { createTurns } from "../../src/server/turns.ts";
import { answering, createChatSetup } from "../chat/chat-setup.ts";
import { heldSocket } from "./held-socket.ts";

const mostInFlight = 4;

/** A connection to a whole server behind a socket that takes nothing unless it is told to. */
async function connectHeld() {
  const { dependencies, clock } = createChatSetup(answering("Hello."));
  const nothing = () => undefined;
  const logs = createMemoryTurnLogs({ clock, retentionMs: 60_000, mostBytes: 1_000_000 });
  const budgets = await openBudgets(defaultSettings(), {
    clock,
    usage: createMemoryUsage(),
    model: "demo",
    simulated: true,
    onWarning: nothing,
  });
  const turns = createTurns({
    chat: dependencies,
    logs,
    budgets,
    admission: createAdmission({ budgets, mostPerKey: 10, mostPerOwner: 10, mostInAll: 10 }),
    digest: sha256,
    isAdmitted: () => true,
    turnLimitMs: 60_000,
    onEnd: nothing,
    onFault: nothing,
    onLeft: nothing,
  });
  const held = heldSocket();
  const { conversations } = dependencies;
  const ofSessions = {
    ...{ turns, conversations, clock, mostInFlight },
    unnamedGraceMs: 10_000,
    onFault: nothing,
  };
  const caller = { owner: "ada", keyId: "k", limits: {} };
  const connection = new Connection(held.socket, (audience) => new Session(ofSessions, caller, audience), {
    defaultPacing: {
      mode: "raw",
      chunkChars: { responses: 50, personas: 30 },
      intervalMs: 100,
      maxLagMs: 400,
    },
    onFault: (fault) => assert.fail(String(fault)),
  });
  return { connection, held, turns };
}

/** Handles frames as long as each lets the next come; how many were let in. */
async function letIn(receive: () => Promise<void>, most: number): Promise<number> {
  for (let count = 0; count < most; count += 1) {
    const handled = receive().then(() => true);
    let stillWaits = Promise.resolve(false);
    for (let turn = 0; turn < 20; turn += 1) {
      stillWaits = stillWaits.then(() => new Promise((resolve) => setImmediate(() => resolve(false))));
    }
    if (!(await Promise.race([handled, stillWaits]))) return count;
  }
  return most;
}

const frame = (type: string, data: object, id?: string) =>
  JSON.stringify({ type, ...(id === undefined ? {} : { id }), data });
const bad = { message: "Hi", persona_id: "nobody" };

for (const [name, text, most] of [
  ["pings", frame("ping", {}), 0],
  ["frames that are no JSON", "{", 0],
  ["named requests that are refused", frame("chat", bad, "a"), 0],
  ["unnamed requests that are refused", frame("chat", bad), mostInFlight],
  ["cancels of what is not there", frame("cancel", { request_id: "nobody" }), 0],
  ["resumes of what is not there", frame("resume", { request_id: "nobody", after_seq: 0 }), 0],
  ["resumes of a request that has ended", frame("resume", { request_id: "ended", after_seq: 0 }), 0],
] as const) {
  test(`a client that does not read is not read either: ${name}`, async () => {
    const { connection, held, turns } = await connectHeld();
    await connection.receive(frame("openai_chat", { input_text: "Hi" }, "ended"));
    while (turns.count > 0) await held.take();
    await held.take();
    const before = held.writes.length;
    const count = await letIn(() => connection.receive(text), 200);
    assert.ok(count <= most, `${count} frames were let in`);
    assert.ok(held.writes.length <= before + 1);
    // When it reads again, every frame that came has its reply.
    while (held.writes.slice(before).flat().length < count + 1) await held.take();
    void connection.close();
  });
}
