import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { retryAfterMsIn } from "../../src/protocol/closes.ts";
import { askInBackground, chat, isChunk, wholeText } from "../cluster/gated-cluster.ts";
import { adminKey, bearer, type MadeKey } from "../support/key-system.ts";
import { textOf, type WireClient } from "../support/wire-client.ts";
import { startGatedNodes } from "./postgres/gated-nodes.ts";
import { runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

type System = Awaited<ReturnType<typeof startGatedNodes>>;

/** Goes on at the second node with a request of which `before` has seen a part. */
async function moveOn(system: System, before: WireClient, id: string): Promise<WireClient> {
  const seen = before.received.findLast((message) => "seq" in message);
  const client = await system.second.connect();
  const after_seq = seen !== undefined && "seq" in seen ? Number(seen.seq) : 0;
  client.send({ type: "resume", data: { request_id: id, after_seq } });
  return client;
}

/** Both nodes, each of which knows of the other by its next heartbeat. */
async function startSystem(): Promise<System> {
  const system = await startGatedNodes({ reconnectSpreadMs: 300 });
  const beats = async () => {
    const rows = await runOn(system.databaseUrl, "SELECT beat FROM nodes ORDER BY incarnation");
    return rows.map(({ beat }) => Number(beat));
  };
  const before = await beats();
  while ((await beats()).some((beat, index) => beat < (before[index] ?? 0) + 2)) await sleep(50);
  return system;
}

describe("a node that stops while another one serves", withPostgres, () => {
  after(stopShared);

  it("sends clients there at once, and their turns go on to their end here", async () => {
    await using system = await startSystem();
    const asking = await system.first.connect();
    // Without followers it would be stopped at once.
    asking.send(chat("moved", { on_disconnect: "cancel" }));
    await asking.next(isChunk);
    const closing = system.first.troupe.close({ drainMs: 60_000 });
    const { code, reason } = await asking.closed;
    assert.deepEqual([code, retryAfterMsIn(reason)], [1012, 0]);
    assert.equal(system.first.troupe.stats().turns, 1);
    const client = await moveOn(system, asking, "moved");
    // The answer comes long after the close.
    await sleep(500);
    system.gate.open();
    await client.untilTerminal("moved");
    assert.equal(textOf([...asking.received, ...client.received]), wholeText);
    await closing;
  });

  it("keeps clients with requests that no other node can go on with", async () => {
    await using system = await startSystem();
    const unnamed = await system.first.connect();
    const { id: _, ...question } = chat("");
    unnamed.send(question);
    const transient = await system.first.connect();
    const data = { input_text: "Count.", options: { store: false }, pacing: { mode: "raw" } };
    transient.send({ type: "openai_chat", id: "transient", data });
    const clients = [unnamed, transient];
    await Promise.all(clients.map((client) => client.next(isChunk)));
    const idle = await system.first.connect();
    const closing = system.first.troupe.close({ drainMs: 60_000 });
    await idle.closed;
    await sleep(1_000);
    system.gate.open();
    for (const client of clients) {
      await client.closed;
      assert.equal(textOf(client.received), wholeText);
    }
    await closing;
  });

  it("hands over at once an answer in the background, and does not wait for it", async () => {
    await using system = await startSystem();
    const beside = await system.first.connect();
    beside.send(chat("beside"));
    await beside.next(isChunk);
    await askInBackground(system.first);
    const [before] = await runOn(system.databaseUrl, "SELECT node FROM turns WHERE id = 'long'");
    const closing = system.first.troupe.close({ drainMs: 60_000 });
    for (;;) {
      const [now] = await runOn(system.databaseUrl, "SELECT node FROM turns WHERE id = 'long'");
      // Let go, it has the node 0 until another one has taken it up.
      if (now?.node !== before?.node && now?.node !== "0") break;
      await sleep(50);
    }
    assert.equal(system.first.troupe.stats().turns, 1);
    system.gate.open();
    await closing;
  });

  it("is listed as draining at every node, with its requests and a heartbeat of a moment ago", async () => {
    await using system = await startGatedNodes({ adminKey, lameDuckMs: 60_000 });
    const body = JSON.stringify({ owner: "ada" });
    const keys = `${system.first.httpUrl}/api/keys`;
    const made = await fetch(keys, { method: "POST", ...bearer(adminKey), body });
    const { key } = (await made.json()) as MadeKey;
    const asking = await system.first.connect(bearer(key));
    asking.send(chat("listed"));
    await asking.next(isChunk);
    const list = async ({ httpUrl }: System["first"]) => {
      const answer = await fetch(`${httpUrl}/api/admin/nodes`, bearer(adminKey));
      const { nodes } = (await answer.json()) as { nodes: Record<string, unknown>[] };
      return nodes;
    };
    void system.first.troupe.leaveBalancer();
    for (;;) {
      const nodes = await list(system.second);
      const [first, second] = nodes;
      await sleep(50);
      if (first?.state !== "draining") continue;
      assert.equal(nodes.length, 2);
      assert.deepEqual([first.self, first.turns, second?.self, second?.state], [false, 1, true, "serving"]);
      assert.ok(Number(first.heartbeat_age_ms) >= 0 && Number(first.incarnation) > 0);
      break;
    }
    assert.deepEqual(
      (await list(system.first)).map(({ self }) => self),
      [true, false],
    );
    system.gate.open();
  });
});
