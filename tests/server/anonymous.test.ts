import assert from "node:assert/strict";
import { test } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";

const secret = "a secret of mine".replaceAll(" ", "-");
const offering = (token: string) => ({ protocols: ["troupe", `troupe.token.${token}`] });
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const start = (options: TroupeOptions = {}) =>
  startTroupe({ allowAnonymous: true, clock: createTestClock({ instantMs: 1_000 }), ...options });

async function ask(client: WireClient, id: string): Promise<void> {
  client.send({ type: "chat", id, data: { message: "Hi", persona_id: "teacher", max_tokens: 2 } });
  await client.untilTerminal(id);
}

async function sees(client: WireClient, requestId: string): Promise<boolean> {
  client.send({ type: "resume", data: { request_id: requestId, after_seq: 0 } });
  const reply = await client.next((message) => message.type === "resumed" || message.type === "error");
  return reply.type === "resumed";
}

test("without keys beyond this machine each caller sees only its own, by a secret that it chose", async () => {
  await using server = await start();
  const first = await server.connect(offering(secret));
  await ask(first, "mine");
  assert.ok(await sees(await server.connect(bearer(secret)), "mine"));
  assert.ok(!(await sees(await server.connect(offering(`${secret}x`)), "mine")));
  assert.ok(!(await sees(await server.connect(), "mine")));
  const list = async (options: object) =>
    ((await (await fetch(`${server.httpUrl}/api/conversations`, options)).json()) as { conversations: [] })
      .conversations;
  assert.equal((await list(bearer(secret))).length, 1);
  assert.equal((await list(bearer(`${secret}x`))).length, 0);
  const issued = await fetch(`${server.httpUrl}/api/tickets`, { method: "POST", ...bearer(secret) });
  const { ticket } = (await issued.json()) as { ticket: string };
  const { connect } = await import("../support/wire-client.ts");
  const byTicket = await connect(`${server.url}?ticket=${ticket}`);
  assert.ok(await sees(byTicket, "mine"));
  byTicket.terminate();
});

test("a connection without a secret is an owner that cannot be used again", async () => {
  await using server = await start();
  const first = await server.connect();
  await ask(first, "once");
  assert.ok(await sees(first, "once"));
  assert.ok(!(await sees(await server.connect(), "once")));
  const response = await fetch(`${server.httpUrl}/api/conversations`);
  assert.deepEqual([response.status, await response.json()], [200, { conversations: [] }]);
  assert.equal((await fetch(`${server.httpUrl}/api/requests/once`)).status, 404);
});

test("a secret that others could guess is refused, and so is one that any page could have made", async () => {
  await using server = await start();
  await assert.rejects(server.connect(bearer("x".repeat(15))), /401/);
  await assert.rejects(server.connect(offering("x".repeat(129))), /401/);
  (await server.connect(bearer("x".repeat(128)))).terminate();
  await assert.rejects(server.connect({ ...offering(secret), origin: "null" }), /403/);
});

test("on this machine alone, by default, everyone is the same caller", async () => {
  await using server = await start({ allowAnonymous: false });
  await ask(await server.connect(offering(secret)), "ours");
  assert.ok(await sees(await server.connect(), "ours"));
});
