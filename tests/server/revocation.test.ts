import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { bearer, startKeySystem } from "../support/key-system.ts";
import { createTestClock } from "../support/test-clock.ts";
import { connect } from "../support/wire-client.ts";

const halfAnAnswer = () => {
  const events = answer({ deltas: ["Half ", "an ", "answer"] });
  return [...streamScript(events.slice(0, 6)), { hang: true } as const];
};

for (const store of ["memory", "sqlite"] as const) {
  test(`a revoked key opens nothing, its sockets are closed and its turns stopped upstream, kept in ${store}`, async () => {
    await using upstream = await createUpstreamDouble();
    upstream.respond(halfAnAnswer());
    const clock = createTestClock({ instantMs: 1_000 });
    await using system = await startKeySystem({
      store,
      clock,
      openaiApiKey: "k",
      openaiBaseUrl: upstream.baseUrl,
    });
    const { server, call } = system;
    const [gone, stays] = [await system.makeKey("ada"), await system.makeKey("ada")];
    const asking = await server.connect(bearer(gone.key));
    const idle = await server.connect({ protocols: ["troupe", `troupe.token.${gone.key}`] });
    const watching = await server.connect(bearer(stays.key));
    const issued = await call("POST", "/api/tickets", { key: gone.key });
    const { ticket } = (await issued.json()) as { ticket: string };

    asking.send({ type: "chat", id: "r", data: { message: "Hi", persona_id: "teacher" } });
    await asking.next((message) => message.type === "chunk");
    watching.send({ type: "resume", data: { request_id: "r", after_seq: 0 } });
    await watching.next((message) => message.type === "chunk");

    const beganAtMs = clock.now();
    assert.equal((await call("DELETE", `/api/keys/${gone.id}`)).status, 204);
    for (const client of [asking, idle])
      assert.deepEqual(await client.closed, { code: 4401, reason: "The key was revoked." });
    // The owner's other key sees how the turn ended.
    const terminal = (await watching.untilTerminal("r")).at(-1);
    assert.ok(terminal?.type === "response" && terminal.status === "cancelled");
    assert.ok(terminal.data.cancel?.upstream_closed);
    assert.ok(clock.now() - beganAtMs <= 5_000, "well within five seconds of the server's clock");
    assert.equal(server.troupe.stats().turns, 0);

    for (const options of [bearer(gone.key), { protocols: ["troupe", `troupe.token.${gone.key}`] }])
      await assert.rejects(server.connect(options), /401/);
    await assert.rejects(connect(`${server.url}?ticket=${ticket}`), /401/);
    assert.equal((await call("GET", "/api/personas", { key: gone.key })).status, 401);
    assert.equal((await call("GET", "/api/personas", { key: stays.key })).status, 200);

    const { keys } = (await (await call("GET", "/api/keys")).json()) as { keys: Record<string, string>[] };
    assert.deepEqual(
      keys.map(({ id, revoked_at }) => [id, typeof revoked_at]),
      [
        [gone.id, "string"],
        [stays.id, "undefined"],
      ],
    );
    assert.equal((await call("DELETE", `/api/keys/${gone.id}`)).status, 404);
    assert.equal((await call("DELETE", "/api/keys/never-was")).status, 404);
  });
}

test("later messages on a revoked key's socket have no effect, and a peer that does not leave is dropped", async () => {
  await using upstream = await createUpstreamDouble();
  upstream.respond(halfAnAnswer());
  const clock = createTestClock({ instantMs: 500 });
  await using system = await startKeySystem({ clock, openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const { server, call } = system;
  const [gone, stays] = [await system.makeKey("ada"), await system.makeKey("ada")];
  const asking = await server.connect(bearer(stays.key));
  const deaf = await server.connect(bearer(gone.key));
  asking.send({ type: "chat", id: "r", data: { message: "Hi", persona_id: "teacher" } });
  await asking.next((message) => message.type === "chunk");
  // The client does not read the close, and goes on as if nothing had happened.
  deaf.pause();
  assert.equal((await call("DELETE", `/api/keys/${gone.id}`)).status, 204);
  deaf.send({ type: "cancel", data: { request_id: "r" } });
  deaf.send({ type: "chat", id: "s", data: { message: "Hi", persona_id: "teacher" } });
  for (let count = 0; count < 10; count += 1) {
    asking.send({ type: "ping" });
    await asking.next((message) => message.type === "pong");
  }
  const state = async (id: string) => (await call("GET", `/api/requests/${id}`, { key: stays.key })).json();
  assert.equal(((await state("r")) as { state: string }).state, "running");
  assert.equal(((await state("s")) as { code: string }).code, "request_not_found");
  assert.equal(upstream.requests.length, 1);
  assert.equal(server.troupe.stats().connections, 2);
  await clock.advance(1_000);
  while (server.troupe.stats().connections > 1) await new Promise((resolve) => setImmediate(resolve));
});

test("a frame of a revoked key that is on its way starts nothing", async () => {
  await using upstream = await createUpstreamDouble();
  await using system = await startKeySystem({
    clock: createTestClock({ instantMs: 1_000 }),
    openaiApiKey: "k",
    openaiBaseUrl: upstream.baseUrl,
  });
  const { key, id } = await system.makeKey("ada");
  const clients = await Promise.all(Array.from({ length: 20 }, () => system.server.connect(bearer(key))));
  const revoked = system.call("DELETE", `/api/keys/${id}`);
  let sent = 0;
  let closed = 0;
  for (const client of clients) void client.closed.then(() => (closed += 1));
  // Some of these arrive before the revocation and some after. Each one that started has to end.
  while (closed < clients.length) {
    for (const client of clients) {
      sent += 1;
      const data = { message: "Hi", persona_id: "teacher", conversation_id: "new" };
      client.send({ type: "chat", id: `r-${sent}`, data });
    }
    upstream.respond(halfAnAnswer());
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await revoked).status, 204);
  while (system.server.troupe.stats().turns > 0) await new Promise((resolve) => setImmediate(resolve));
  const called = upstream.requests.length;
  await system.server.troupe.close({ drainMs: 0 });
  assert.equal(upstream.requests.length, called);
  // The upstream notices the close a moment later. If a connection stays open, this waits for ever.
  while (upstream.openConnections() > 0) await new Promise((resolve) => setImmediate(resolve));
});
