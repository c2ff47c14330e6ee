import assert from "node:assert/strict";
import { test } from "node:test";
import { adminKey, bearer, type MadeKey } from "../support/key-system.ts";
import { startCluster } from "../support/start-cluster.ts";
import { createTestClock } from "../support/test-clock.ts";
import { connect } from "../support/wire-client.ts";

const key = "ada-key-of-sixteen-characters";

test("a ticket that one server issued opens one socket of another, and no second one anywhere", async () => {
  const apiKeys = [{ owner: "ada", key }];
  await using cluster = await startCluster(2, { apiKeys, clock: createTestClock({ instantMs: 1_000 }) });
  const [first, second] = cluster.servers;
  const response = await fetch(`${first?.httpUrl}/api/tickets`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
  });
  const { ticket } = (await response.json()) as { ticket: string };
  const client = await connect(`${second?.url}?ticket=${ticket}`);
  client.send({ type: "ping" });
  assert.equal((await client.next()).type, "pong");
  client.terminate();
  for (const server of [first, second])
    await assert.rejects(connect(`${server?.url}?ticket=${ticket}`), /401/);
});

test("a server that starts after a revocation admits no ticket issued to the key before", async () => {
  const admin = bearer(adminKey);
  await using cluster = await startCluster(1, { adminKey, clock: createTestClock({ instantMs: 1_000 }) });
  const [first] = cluster.servers;
  const post = async <T>(address: string, options: RequestInit) => {
    const response = await fetch(`${first?.httpUrl}/api/${address}`, { method: "POST", ...options });
    return (await response.json()) as T;
  };
  const body = JSON.stringify({ owner: "ada" });
  const [gone, stays] = [
    await post<MadeKey>("keys", { ...admin, body }),
    await post<MadeKey>("keys", { ...admin, body }),
  ];
  const { ticket } = await post<{ ticket: string }>("tickets", bearer(gone.key));
  const other = await post<{ ticket: string }>("tickets", bearer(stays.key));
  await fetch(`${first?.httpUrl}/api/keys/${gone.id}`, { method: "DELETE", ...admin });
  const started = await cluster.start();
  await assert.rejects(connect(`${started.url}?ticket=${ticket}`), /401/);
  const client = await connect(`${started.url}?ticket=${other.ticket}`);
  client.terminate();
});
