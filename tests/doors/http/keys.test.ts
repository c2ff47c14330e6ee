import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { adminKey, bearer, startKeySystem } from "../../support/key-system.ts";
import { createTestClock } from "../../support/test-clock.ts";

for (const store of ["memory", "sqlite"] as const) {
  test(`a key is given out once, opens sockets and routes, and is listed without itself, kept in ${store}`, async () => {
    await using system = await startKeySystem({ store, clock: createTestClock({ instantMs: 1_000 }) });
    const { server, call } = system;
    assert.equal((await call("GET", "/api/personas", { key: null })).status, 401);
    await assert.rejects(server.connect(), /401/);
    const wanted = { owner: "ada", name: "laptop", limits: { connections: 2, tokens_per_day: 1_000 } };
    const response = await call("POST", "/api/keys", { body: wanted });
    assert.equal(response.status, 201);
    const { key, id, created_at, ...rest } = (await response.json()) as Record<string, unknown>;
    assert.deepEqual(rest, wanted);
    assert.match(String(key), /^troupe_[\w-]{43}$/);
    assert.equal((await call("GET", "/api/personas", { key: String(key) })).status, 200);
    const client = await server.connect({ protocols: ["troupe", `troupe.token.${key}`] });
    client.send({ type: "ping" });
    assert.equal((await client.next()).type, "pong");
    await server.connect(bearer(String(key)));
    await assert.rejects(server.connect(bearer(String(key))), /429/);
    const listed = await (await call("GET", "/api/keys")).text();
    assert.deepEqual(JSON.parse(listed), { keys: [{ ...wanted, id, created_at }] });
    assert.ok(!listed.includes(String(key)));
    const other = await system.makeKey("ada");
    assert.notEqual(other.key, key);
  });
}

test("keys outlive the server, of which only digests lie on the disk", async () => {
  const data = await mkdtemp(path.join(tmpdir(), "troupe-keys-"));
  let made: { readonly id: string; readonly key: string };
  {
    await using system = await startKeySystem({ data, store: "sqlite" });
    made = await system.makeKey("ada");
  }
  {
    // Runs without the administrator's key as well: as long as a key exists, callers need one.
    const { startTroupe } = await import("../../support/start-troupe.ts");
    await using server = await startTroupe({ data, store: "sqlite" });
    await assert.rejects(server.connect(), /401/);
    const client = await server.connect(bearer(made.key));
    client.terminate();
    const keys = (key: string) => fetch(`${server.httpUrl}/api/keys`, bearer(key));
    assert.equal((await keys(made.key)).status, 404);
    assert.equal((await keys(adminKey)).status, 401);
  }
  const bytes = await readFile(path.join(data, "troupe.db"), "latin1");
  assert.ok(bytes.includes(made.id) && !bytes.includes(made.key));
  await rm(data, { recursive: true });
});

test("for everyone but the administrator the routes of keys are not there", async () => {
  await using system = await startKeySystem({ apiKeys: [{ owner: "bob", key: "bob-0123456789abcdef" }] });
  const { call } = system;
  const { id, key } = await system.makeKey("ada");
  const answerTo = async (method: string, address: string, caller: string | null) => {
    const body = method === "POST" ? { owner: "ada" } : undefined;
    const response = await call(method, address, { key: caller, body });
    return [response.status, await response.text()];
  };
  for (const [method, address] of [
    ["GET", "/api/keys"],
    ["POST", "/api/keys"],
    ["DELETE", `/api/keys/${id}`],
    ["PUT", "/api/keys"],
    ["GET", `/api/keys/${id}`],
    ["GET", "/api/admin/nodes"],
    ["POST", "/api/admin/nodes"],
  ] as const) {
    for (const caller of [key, "bob-0123456789abcdef", null])
      assert.deepEqual(
        await answerTo(method, address, caller),
        await answerTo(method, "/api/nowhere", caller),
      );
  }
  assert.equal((await call("GET", "/api/personas", { key })).status, 200);
  // The administrator's key is not a caller's key.
  for (const address of ["/api/personas", "/api/conversations", "/api/keysmith"])
    assert.equal((await call("GET", address)).status, 401);
  await assert.rejects(system.server.connect(bearer(adminKey)), /401/);
  const other = await call("PUT", "/api/keys");
  assert.deepEqual([other.status, other.headers.get("allow")], [405, "GET, HEAD, POST"]);
});

test("an invalid key is refused with the field at fault", async () => {
  await using system = await startKeySystem();
  for (const [body, field] of [
    [{}, "owner"],
    [[], "body"],
    [{ owner: "a b" }, "owner"],
    [{ owner: "x".repeat(65) }, "owner"],
    [{ owner: "anonymous:1" }, "owner"],
    [{ owner: "ada", name: "" }, "name"],
    [{ owner: "ada", name: "two\nlines" }, "name"],
    [{ owner: "ada", key: "my-own-0123456789" }, "body"],
    [{ owner: "ada", limits: { connections: 0 } }, "limits.connections"],
    [{ owner: "ada", limits: { tokens_per_day: 1.5 } }, "limits.tokens_per_day"],
    [{ owner: "ada", limits: { tokensPerDay: 1 } }, "limits"],
  ] as const) {
    const response = await system.call("POST", "/api/keys", { body });
    assert.equal(response.status, 400, JSON.stringify(body));
    assert.equal(((await response.json()) as { field: string }).field, field, JSON.stringify(body));
  }
  assert.deepEqual(await (await system.call("GET", "/api/keys")).json(), { keys: [] });
});
