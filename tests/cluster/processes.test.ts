import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { textOf } from "../support/wire-client.ts";
import { chat, events, wholeText } from "./gated-cluster.ts";
import { aMoment, onLinux, startProcesses } from "./start-processes.ts";

const isChunk = (message: ServerMessage) => message.type === "chunk";

/** A real server with two workers, and a provider that stops in the middle of its answer until the gate opens. */
async function startGatedProcesses() {
  const gate = createGate();
  const script = streamScript(events);
  return {
    ...(await startProcesses([...script.slice(0, 7), { waitFor: gate.opened }, ...script.slice(7)])),
    gate,
  };
}

test(
  "two processes share their requests; if one is killed, the other ends its turns, and a new one starts",
  onLinux,
  async () => {
    await using system = await startGatedProcesses();
    const {
      first,
      clients: [asking, other],
    } = await system.connectBoth();
    asking.send(chat("stopped"));
    await asking.next(isChunk);
    other.send({ type: "resume", data: { request_id: "stopped", after_seq: 0 } });
    await other.next(isChunk);
    other.send({ type: "cancel", data: { request_id: "stopped" } });
    const end = (await asking.untilTerminal("stopped")).at(-1);
    assert.ok(end?.type === "response" && end.status === "cancelled");
    await other.untilTerminal("stopped");

    for (const client of [asking, other]) client.send(chat("shared", { conversation_id: "new" }));
    await Promise.all(
      [asking, other].map((client) =>
        client.next(
          (message) => isChunk(message) && "request_id" in message && message.request_id === "shared",
        ),
      ),
    );
    assert.equal(system.upstream.requests.length, 2);

    asking.send(chat("cut"));
    await asking.next(
      (message) => isChunk(message) && "request_id" in message && message.request_id === "cut",
    );
    const seen = asking.received.filter((message) => "request_id" in message && message.request_id === "cut");
    process.kill(first, "SIGKILL");
    other.send({ type: "resume", data: { request_id: "cut", after_seq: 0 } });
    const messages = (await other.untilTerminal("cut")).slice(1);
    assert.deepEqual(messages.slice(0, seen.length), seen);
    const interrupted = messages.at(-1);
    assert.ok(interrupted?.type === "error" && interrupted.code === "interrupted");
    while ((await system.server.workers()).length < 2) await aMoment();
    const again = await system.connectBoth();
    system.gate.open();
    again.clients[0].send(chat("late"));
    assert.equal(textOf(await again.clients[0].untilTerminal("late")), wholeText);
  },
);

test(
  "stopped in order, both processes let their requests end and tell their clients to reconnect",
  onLinux,
  async () => {
    await using system = await startGatedProcesses();
    const { clients } = await system.connectBoth();
    for (const [index, client] of clients.entries()) {
      client.send(chat(`last-${index}`));
      await client.next(isChunk);
    }
    const stopped = system.server.stop();
    for (const client of clients) {
      for (let attempt = 0, refused = false; !refused; attempt += 1) {
        client.send(chat(`late-${attempt}`));
        const reply = await client.next(
          (message) =>
            message.type === "error" ||
            (isChunk(message) && "request_id" in message && message.request_id.startsWith("late")),
        );
        refused = reply.type === "error" && reply.code === "shutting_down";
      }
    }
    system.gate.open();
    for (const [index, client] of clients.entries()) {
      assert.equal(textOf(await client.untilTerminal(`last-${index}`)), wholeText);
      assert.equal((await client.closed).code, 1012);
    }
    assert.equal(await stopped, 0);
  },
);

test("a stop during a worker's start does not wait", onLinux, async () => {
  await using system = await startGatedProcesses();
  const { first } = await system.connectBoth();
  process.kill(first, "SIGKILL");
  let pids: readonly number[] = [];
  while (pids.length < 2 || pids.includes(first)) {
    await aMoment();
    pids = await system.server.workers();
  }
  assert.equal(await system.server.stop(), 0);
});

test(
  "when the first process is killed the workers end too, and the next start ends their turns",
  onLinux,
  async () => {
    await using system = await startGatedProcesses();
    const {
      clients: [asking],
    } = await system.connectBoth();
    asking.send(chat("cut"));
    await asking.next(isChunk);
    // Settles once no process holds the server's output open; the workers hold it too.
    await system.server.kill();
    await asking.closed;
    system.server.start();
    await system.server.listening();
    const {
      clients: [, other],
    } = await system.connectBoth();
    other.send(chat("cut"));
    const end = (await other.untilTerminal("cut")).at(-1);
    assert.ok(end?.type === "error" && end.code === "interrupted");
    assert.equal(system.upstream.requests.length, 1);
  },
);
