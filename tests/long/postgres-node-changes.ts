import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { cutOffMs } from "../../src/adapters/postgres/nodes/death-watch.ts";
import { chat, isChunk, wholeText } from "../cluster/gated-cluster.ts";
import { halfUntil } from "../recovery/half-until.ts";
import { adminKey, bearer, type MadeKey } from "../support/key-system.ts";
import { textOf } from "../support/wire-client.ts";
import { revokeElsewhere, startGatedNodes } from "./postgres/gated-nodes.ts";
import { runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

describe("nodes that come and go", withPostgres, () => {
  after(stopShared);

  it("hand over at once what can be answered again, when they stop in order", async () => {
    await using system = await startGatedNodes();
    const asking = await system.first.connect();
    asking.send(chat("handed", { on_interrupt: "restart" }));
    await asking.next(isChunk);
    const follower = await system.second.connect();
    follower.send({ type: "resume", data: { request_id: "handed", after_seq: 0 } });
    await follower.next(isChunk);
    await system.first.troupe.close({ drainMs: 0 });
    system.gate.open();
    const messages = await follower.untilTerminal("handed");
    const reset = messages.findIndex(({ type }) => type === "reset");
    assert.ok(reset > 0);
    assert.equal(textOf(messages.slice(reset)), wholeText);
    assert.deepEqual(
      messages.slice(1).map((message) => "seq" in message && message.seq),
      messages.slice(1).map((_, index) => index + 1),
    );
    assert.deepEqual(await runOn(system.databaseUrl, "SELECT count(*)::int AS nodes FROM nodes"), [
      { nodes: 1 },
    ]);
  });

  it("keep a turn running as long as it is followed at another node, and no longer", async () => {
    await using system = await startGatedNodes();
    const asking = await system.first.connect();
    asking.send(chat("watched", { on_disconnect: 1_500 }));
    await asking.next(isChunk);
    const follower = await system.second.connect();
    follower.send({ type: "resume", data: { request_id: "watched", after_seq: 0 } });
    await follower.next(isChunk);
    asking.terminate();
    await sleep(4_000);
    assert.equal(system.first.troupe.stats().turns, 1);
    follower.terminate();
    await system.upstream.closed(await system.upstream.received(1));
  });

  it("stop the turns and close the sockets of a key that was revoked at another node", async () => {
    await using system = await startGatedNodes({ adminKey });
    const client = await revokeElsewhere(system);
    await client.closed;
    await system.upstream.closed(await system.upstream.received(1));
  });

  it("leave at once when others have taken them over: sockets close, no end is told, and the turn goes on elsewhere", async () => {
    await using system = await startGatedNodes();
    const asking = await system.first.connect();
    asking.send(chat("taken", { on_interrupt: "restart" }));
    await asking.next(isChunk);
    const [node] = await runOn(system.databaseUrl, "SELECT node FROM turns WHERE id = 'taken'");
    await runOn(system.databaseUrl, "DELETE FROM fences WHERE incarnation = $1", [node?.node]);
    await system.first.troupe.lost;
    await asking.closed;
    assert.ok(asking.received.every(({ type }) => type !== "error" && type !== "response"));
    assert.equal(system.first.troupe.stats().turns, 0);
    const follower = await system.second.connect();
    follower.send({ type: "resume", data: { request_id: "taken", after_seq: 0 } });
    system.gate.open();
    const messages = await follower.untilTerminal("taken");
    assert.equal(messages.at(-1)?.type, "response");
    assert.deepEqual(messages.slice(1, asking.received.length + 1), asking.received);
  });

  it("call no provider for a turn whose stop was accepted by a node that is gone", async () => {
    await using system = await startGatedNodes();
    system.upstream.respondToCancels([{ hang: true }]);
    const asking = await system.first.connect();
    const data = { input_text: "Hi", options: { background: true }, pacing: { mode: "raw" } };
    asking.send({ type: "openai_chat", id: "stopped", data });
    await asking.next(isChunk);
    asking.send({ type: "cancel", data: { request_id: "stopped" } });
    await asking.next(({ type }) => type === "cancelling");
    const [node] = await runOn(system.databaseUrl, "SELECT node FROM turns WHERE id = 'stopped'");
    await runOn(system.databaseUrl, "DELETE FROM fences WHERE incarnation = $1", [node?.node]);
    const follower = await system.second.connect();
    follower.send({ type: "resume", data: { request_id: "stopped", after_seq: 0 } });
    const end = (await follower.untilTerminal("stopped")).at(-1);
    assert.ok(end?.type === "response" && end.status === "cancelled");
    assert.deepEqual([system.upstream.requests.length, system.upstream.retrievals.length], [1, 0]);
  });

  it("answer no lane again whose stop was accepted by a node that is gone", async () => {
    const gate = Promise.withResolvers<void>();
    const provider = halfUntil(gate.promise);
    await using system = await startGatedNodes({
      providers: { choose: (api) => ({ provider, api, model: "m" }) },
    });
    const asking = await system.first.connect();
    const personas = ["teacher", "skeptic"];
    const data = { message: "Hi", persona_ids: personas, on_interrupt: "restart", pacing: { mode: "raw" } };
    asking.send({ type: "multi_chat", id: "half", data });
    for (const persona of personas)
      await asking.next((message) => message.type === "chunk" && message.persona_id === persona);
    asking.send({ type: "cancel", data: { request_id: "half", persona_id: "skeptic" } });
    await asking.next(({ type }) => type === "cancelling");
    const [node] = await runOn(system.databaseUrl, "SELECT node FROM turns WHERE id = 'half'");
    await runOn(system.databaseUrl, "DELETE FROM fences WHERE incarnation = $1", [node?.node]);
    const follower = await system.second.connect();
    follower.send({ type: "resume", data: { request_id: "half", after_seq: 0 } });
    const ended = await follower.next(({ type }) => type === "persona_response");
    assert.ok(ended.type === "persona_response");
    assert.deepEqual([ended.persona_id, ended.status, ended.response], ["skeptic", "cancelled", "Half"]);
    gate.resolve();
  });

  it("answer a revocation without a node only after that node has closed its sockets", async () => {
    await using system = await startGatedNodes({ adminKey });
    const { databaseUrl, second } = system;
    const admin = bearer(adminKey);
    const body = JSON.stringify({ owner: "ada" });
    const made = (await (
      await fetch(`${second.httpUrl}/api/keys`, { method: "POST", ...admin, body })
    ).json()) as MadeKey;
    // A node that has just sent a heartbeat, and whose connection is gone.
    await runOn(databaseUrl, "INSERT INTO nodes (incarnation, name, beat) VALUES (9000000, 'lost', 7)");
    await runOn(databaseUrl, "INSERT INTO fences (incarnation, line, nonce, sent) VALUES (9000000, 0, 1, 0)");
    const sentAtMs = performance.now();
    await fetch(`${second.httpUrl}/api/keys/${made.id}`, { method: "DELETE", ...admin });
    assert.ok(performance.now() - sentAtMs > cutOffMs, `${performance.now() - sentAtMs}`);
    assert.deepEqual(await runOn(databaseUrl, "SELECT 1 FROM fences WHERE incarnation = 9000000"), []);
  });

  it("take the lock that tells of their connection again, if their last session kept it for longer than the connection", async () => {
    await using system = await startGatedNodes();
    const { databaseUrl } = system;
    const [node] = await nodeLocks(databaseUrl);
    const session = new pg.Client(databaseUrl);
    await session.connect();
    const taken = session.query("SELECT pg_advisory_lock($1)", [node?.lock]);
    await runOn(databaseUrl, "SELECT pg_terminate_backend($1)", [node?.pid]);
    await taken;
    const [beaten] = await heartbeats(databaseUrl);
    // Now the node has its new connection, and could not take the lock.
    while ((await heartbeats(databaseUrl))[0] === beaten) await sleep(50);
    await session.end();
    while ((await nodeLocks(databaseUrl)).length < 2) await sleep(50);
  });
});

/** The sessions that hold the locks of nodes, in the order of the nodes. */
function nodeLocks(databaseUrl: string) {
  return runOn(
    databaseUrl,
    `SELECT pid, (classid::bigint << 32) + objid::bigint AS lock FROM pg_locks
      WHERE locktype = 'advisory' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      ORDER BY lock`,
  );
}

async function heartbeats(databaseUrl: string): Promise<readonly number[]> {
  const rows = await runOn(databaseUrl, "SELECT beat FROM nodes ORDER BY incarnation");
  return rows.map(({ beat }) => Number(beat));
}
