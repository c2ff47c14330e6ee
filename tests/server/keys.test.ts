import assert from "node:assert/strict";
import { test } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const ada = "ada-0123456789abcdef";
const bob = "bob-0123456789abcdef";
const keys: TroupeOptions = {
  apiKeys: [
    { owner: "ada", key: ada },
    { owner: "bob", key: bob },
  ],
};
const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
const offering = (key: string) => ({ protocols: ["troupe", `troupe.token.${key}`] });

async function startWithKeys() {
  const clock = createTestClock({ instantMs: 1_000 });
  const server = await startTroupe({ ...keys, clock });
  const attempt = async (options: Parameters<typeof server.connect>[0]) => {
    try {
      const client = await server.connect(options);
      client.terminate();
      return 101;
    } catch (error) {
      return Number(/\d{3}/.exec(String(error))?.[0]);
    }
  };
  return { server, clock, attempt, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test("if there are keys, a socket opens only with one, by header or subprotocol", async () => {
  await using system = await startWithKeys();
  const origin = { origin: "http://localhost:5173" };
  const rows = [
    [{}, 401],
    [bearer(ada), 101],
    [offering(bob), 101],
    [bearer(`${ada}x`), 401],
    [bearer(ada.toUpperCase()), 401],
    [{ headers: { authorization: `Basic ${ada}` } }, 401],
    [{ protocols: ["troupe", `troupe.token.${ada}`, `troupe.token.${bob}`] }, 401],
    [{ headers: origin }, 401],
    [{ ...offering(ada), headers: origin }, 101],
    [{ ...offering(ada), headers: { origin: "https://evil.com" } }, 403],
    [{ ...offering(ada), headers: { origin: "null" } }, 101],
    [{ ...offering("0".repeat(32)), headers: { origin: "null" } }, 403],
  ] as const;
  for (const [options, status] of rows) {
    assert.equal(
      await system.attempt(options as Parameters<typeof system.attempt>[0]),
      status,
      JSON.stringify(options),
    );
  }
});

test("a ticket opens one socket, once, for its time, for its owner", async () => {
  await using system = await startWithKeys();
  const { server, clock } = system;
  const issue = async (key: string) => {
    const response = await fetch(`${server.httpUrl}/api/tickets`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
    });
    return {
      status: response.status,
      body: (await response.json()) as { ticket: string; valid_for_ms: number },
    };
  };
  const { connect } = await import("../support/wire-client.ts");
  const open = (ticket: string) => connect(`${server.url}?ticket=${ticket}`);
  const { body } = await issue(ada);
  assert.equal(body.valid_for_ms, 30_000);
  const client = await open(body.ticket);
  client.send({ type: "chat", id: "mine", data: { message: "Hi", persona_id: "teacher", max_tokens: 2 } });
  await client.untilTerminal("mine");
  await assert.rejects(open(body.ticket), /401/);
  const late = (await issue(ada)).body.ticket;
  await clock.advance(30_001);
  await assert.rejects(open(late), /401/);
  assert.equal((await issue("nobody-0123456789abcdef")).status, 401);
  const same = await server.connect(bearer(ada));
  same.send({ type: "resume", data: { request_id: "mine", after_seq: 0 } });
  assert.equal((await same.next()).type, "resumed");
  client.terminate();
});

test("each owner has its own: another's ids answer exactly as ids that never were", async () => {
  await using system = await startWithKeys();
  const [hers, his] = [await system.server.connect(bearer(ada)), await system.server.connect(bearer(bob))];
  hers.send({ type: "chat", id: "hers", data: { message: "Hi", persona_id: "teacher", max_tokens: 2 } });
  const terminal = (await hers.untilTerminal("hers")).at(-1);
  assert.ok(terminal?.type === "response" && terminal.request_type === "chat");
  const { conversation_id } = terminal.data;
  const frames = (request: string, conversation: string) => [
    { type: "resume", data: { request_id: request, after_seq: 0 } },
    { type: "cancel", data: { request_id: request } },
    { type: "follow", data: { conversation_id: conversation } },
    { type: "chat", id: "x", data: { message: "Hi", persona_id: "teacher", conversation_id: conversation } },
  ];
  const replies = async (request: string, conversation: string) => {
    const seen: unknown[] = [];
    for (const frame of frames(request, conversation)) {
      his.send(frame);
      // A refusal repeats the name that the frame gave.
      const {
        request_id: _,
        conversation_id: __,
        ...said
      } = { ...(await his.next()) } as Record<string, unknown>;
      seen.push(said);
    }
    return seen;
  };
  assert.deepEqual(await replies("hers", conversation_id), await replies("never", "never-was"));
  his.send({ type: "chat", id: "hers", data: { message: "Mine!", persona_id: "teacher", max_tokens: 2 } });
  const own = (await his.untilTerminal("hers")).at(-1);
  assert.equal(own?.type, "response");
});

test("HTTP asks for the key as well, and health does not", async () => {
  await using system = await startWithKeys();
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(`${system.server.httpUrl}${path}`, { headers })).status;
  assert.equal(await status("/api/personas"), 401);
  assert.equal(await status("/api/personas", bearer(ada).headers), 200);
  assert.equal(await status("/healthz"), 200);
  assert.equal(await status("/"), 200);
});
