import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../src/adapters/system/system.ts";
import { ask } from "../budget/budget-stage.ts";
import { adminKey, bearer, type MadeKey } from "../support/key-system.ts";
import { connect, type WireClient } from "../support/wire-client.ts";
import { createFaultyProxy } from "./postgres/faulty-proxy.ts";
import { revokeElsewhere, startGatedNodes } from "./postgres/gated-nodes.ts";
import { loseMessages } from "./postgres/lose-messages.ts";
import { emptyDatabase, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

/** Sends these requests at once, and returns the code of each refusal. The others must have begun. */
async function refusalsOf(client: WireClient, ids: readonly string[]): Promise<string[]> {
  for (const id of ids) client.send(ask(id));
  const begun = new Set<string>();
  const codes: string[] = [];
  while (begun.size + codes.length < ids.length) {
    const message = await client.next(({ type }) => type === "chunk" || type === "error");
    if (message.type === "chunk") begun.add(message.request_id);
    if (message.type === "error") codes.push(message.code);
  }
  return codes;
}

/** Waits until every node has looked at the others twice: a heartbeat looks as well. */
async function everyNodeLooks(databaseUrl: string): Promise<void> {
  const beats = async () =>
    (await runOn(databaseUrl, "SELECT beat::int FROM nodes ORDER BY incarnation")).map(({ beat }) =>
      Number(beat),
    );
  const first = await beats();
  while ((await beats()).some((beat, index) => beat < (first[index] ?? 0) + 2)) await sleep(100);
}

const idsOf = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${name}-${index}`);

describe("limits over nodes on one PostgreSQL", withPostgres, () => {
  after(stopShared);

  it("count the requests of a minute together", async () => {
    await using system = await startGatedNodes({ requestsPerMinute: 10 });
    const clients = [await system.first.connect(), await system.second.connect()];
    const refused = await Promise.all(
      clients.map((client, node) => refusalsOf(client, idsOf(`minute-${node}`, 10))),
    );
    // The minute may change in between, and then counts from 0.
    assert.ok(
      refused.flat().length <= 10 && refused.flat().every((code) => code === "request_rate_exceeded"),
    );
    const more = await Promise.all(
      clients.map((client, node) => refusalsOf(client, idsOf(`more-${node}`, 10))),
    );
    assert.ok(refused.flat().length + more.flat().length >= 20);
    system.gate.open();
  });

  for (const limit of ["maxRequestsPerKey", "maxRequestsPerOwner"] as const)
    it(`let exactly as many requests be in flight as ${limit} says`, async () => {
      await using system = await startGatedNodes({ [limit]: 7 });
      const clients = [await system.first.connect(), await system.second.connect()];
      const refused = await Promise.all(
        clients.map((client, node) => refusalsOf(client, idsOf(`at-once-${node}`, 7))),
      );
      assert.deepEqual(refused.flat(), Array(7).fill("too_many_requests"));
      system.gate.open();
      const [, second] = clients;
      assert.ok(second !== undefined);
      // A place is free for another node at most a second after its request has ended.
      for (let tries = 0; (await refusalsOf(second, idsOf(`again-${tries}`, 7))).length > 0; tries += 1) {
        assert.ok(tries < 100, "the places of the first node do not come back");
        await sleep(100);
      }
    });

  it("open one socket with a ticket that comes to two nodes at once", async () => {
    await using system = await startGatedNodes({ adminKey });
    const made = await fetch(`${system.first.httpUrl}/api/keys`, {
      ...{ method: "POST", ...bearer(adminKey) },
      body: JSON.stringify({ owner: "ada" }),
    });
    const { key } = (await made.json()) as MadeKey;
    for (let count = 0; count < 10; count += 1) {
      const issued = await fetch(`${system.first.httpUrl}/api/tickets`, { method: "POST", ...bearer(key) });
      const { ticket } = (await issued.json()) as { ticket: string };
      const tries = await Promise.allSettled(
        [system.first, system.second].map(({ url }) => connect(`${url}?ticket=${ticket}`)),
      );
      for (const opened of tries) if (opened.status === "fulfilled") opened.value.terminate();
      assert.deepEqual(tries.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    }
  });

  it("close the sockets of a revoked key before the revocation is answered, even if no message arrives", async () => {
    const restore = loseMessages();
    try {
      await using system = await startGatedNodes({ adminKey });
      const client = await revokeElsewhere(system);
      const seen = "SELECT keys_seen::int FROM nodes ORDER BY incarnation LIMIT 1";
      assert.deepEqual(await runOn(system.databaseUrl, seen), [{ keys_seen: 1 }]);
      await client.closed;
      await system.upstream.closed(await system.upstream.received(1));
    } finally {
      restore();
    }
  });

  it("do not answer a revocation if they stop before all others have acted on it", async () => {
    const databaseUrl = await emptyDatabase();
    await using proxy = await createFaultyProxy(databaseUrl);
    await using _away = await startGatedNodes({ databaseUrl: proxy.url, adminKey });
    await using there = await startGatedNodes({ databaseUrl, adminKey });
    const { httpUrl, troupe } = there.first;
    const admin = bearer(adminKey);
    const body = JSON.stringify({ owner: "ada" });
    const made = await fetch(`${httpUrl}/api/keys`, { method: "POST", ...admin, body });
    const { id } = (await made.json()) as MadeKey;
    await everyNodeLooks(databaseUrl);
    proxy.freeze();
    const answered = fetch(`${httpUrl}/api/keys/${id}`, { method: "DELETE", ...admin }).then(
      ({ status }) => status,
      () => undefined,
    );
    while ((await runOn(databaseUrl, "SELECT 1 FROM keys WHERE revoked_at_ms IS NOT NULL")).length === 0)
      await sleep(20);
    await troupe.close({ drainMs: 0 });
    assert.notEqual(await answered, 204);
    proxy.heal();
  });

  it("act on no frame after they stood still, before their timers run", async () => {
    const databaseUrl = await emptyDatabase();
    await using proxy = await createFaultyProxy(databaseUrl);
    let stoodStillMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + stoodStillMs };
    await using frozen = await startGatedNodes({ databaseUrl: proxy.url, clock });
    await using other = await startGatedNodes({ databaseUrl });
    const client = await frozen.first.connect();
    await everyNodeLooks(databaseUrl);
    await other.first.connect();
    proxy.freeze();
    stoodStillMs = 4_500;
    client.send({ type: "ping", id: "late" });
    assert.equal((await client.closed).code, 1012);
    assert.deepEqual(client.received, []);
    proxy.heal();
  });

  it("send clients away from a node that cannot reach the database while another one can", async () => {
    const databaseUrl = await emptyDatabase();
    await using proxy = await createFaultyProxy(databaseUrl);
    await using away = await startGatedNodes({ databaseUrl: proxy.url });
    await using there = await startGatedNodes({ databaseUrl });
    const client = await away.first.connect();
    await everyNodeLooks(databaseUrl);
    proxy.freeze();
    assert.equal((await client.closed).code, 1012);
    await assert.rejects(connect(away.first.url), /503/);
    await there.first.connect();
    proxy.cut();
  });
});
