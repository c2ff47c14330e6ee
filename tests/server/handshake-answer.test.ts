import assert from "node:assert/strict";
import { test } from "node:test";
import { createRawClient } from "../doubles/raw-client.ts";
import { handshakeText } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";

const key = "ada-0123456789abcdef";
const authorization = `Bearer ${key}`;
const apiKeys = [{ owner: "ada", key }];

test("a plain GET is answered as the handshake would be, to any page", async () => {
  await using server = await startTroupe({ apiKeys, maxConnectionsPerKey: 1, maxConnections: 2 });
  const ask = async (headers: Record<string, string>, query = "") => {
    const answer = await fetch(`${server.httpUrl}/ws${query}`, { headers });
    const body = await answer.text();
    const handshake = await statusOfHandshake(server.httpUrl, headers, query);
    const allowed = answer.headers.get("access-control-allow-origin");
    assert.equal(allowed, headers.origin ?? null);
    const isOpened = handshake === 101;
    assert.equal(answer.status, isOpened ? 426 : handshake, JSON.stringify([headers, query, body]));
    return { status: answer.status, body, retryAfter: answer.headers.get("retry-after") };
  };
  const codeOf = ({ body }: { body: string }) => JSON.parse(body).code;
  assert.equal((await ask({ authorization })).body, "This is a WebSocket: connect with ws://.");
  assert.equal(codeOf(await ask({})), "unauthenticated");
  assert.equal(codeOf(await ask({ authorization: "Bearer wrong" })), "unauthenticated");
  assert.equal(codeOf(await ask({ authorization, origin: "https://evil.example" })), "forbidden_origin");
  assert.equal(codeOf(await ask({ origin: "null" })), "forbidden_origin");
  assert.equal((await ask({ authorization, origin: "null" })).status, 426);
  const first = await server.connect({ headers: { authorization } });
  assert.equal(codeOf(await ask({ authorization })), "too_many_connections");
  first.terminate();
  await first.closed;
});

test("a plain GET uses no ticket up, and costs no place", async () => {
  await using server = await startTroupe({ apiKeys, maxConnections: 1 });
  const made = await fetch(`${server.httpUrl}/api/tickets`, { method: "POST", headers: { authorization } });
  const { ticket } = (await made.json()) as { ticket: string };
  for (let count = 0; count < 3; count += 1)
    assert.equal((await fetch(`${server.httpUrl}/ws?ticket=${ticket}`)).status, 401);
  for (let count = 0; count < 3; count += 1)
    assert.equal((await fetch(`${server.httpUrl}/ws`, { headers: { authorization } })).status, 426);
  assert.equal(await statusOfHandshake(server.httpUrl, {}, `?ticket=${ticket}`), 101);
});

test("a full server gives a retry time to a plain GET, and answers a page's preflight", async () => {
  await using server = await startTroupe({ apiKeys, maxConnections: 1, random: () => 0.5 });
  await server.connect({ headers: { authorization } });
  const full = await fetch(`${server.httpUrl}/ws`, {
    headers: { authorization, origin: "https://evil.example" },
  });
  assert.deepEqual([full.status, full.headers.get("retry-after")], [503, "3"]);
  assert.equal(full.headers.get("access-control-expose-headers"), "retry-after");
  const headers = { origin: "https://evil.example", "access-control-request-headers": "authorization" };
  const preflight = await fetch(`${server.httpUrl}/ws`, { method: "OPTIONS", headers });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-headers"), "authorization");
  assert.equal(preflight.headers.get("access-control-allow-origin"), "https://evil.example");
});

test("a page from disk shows its token to a plain GET as the client does, in its header", async () => {
  const pageToken = "0123456789abcdef0123456789abcdef";
  await using server = await startTroupe({ pageToken });
  const ask = async (token: string) => {
    const headers = { origin: "null", authorization: `Bearer ${token}` };
    return (await fetch(`${server.httpUrl}/ws`, { headers })).status;
  };
  assert.deepEqual([await ask(pageToken), await ask("wrong")], [426, 403]);
});

async function statusOfHandshake(
  httpUrl: string,
  headers: Record<string, string>,
  query: string,
): Promise<number> {
  using client = await createRawClient(httpUrl);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const host = `Host: ${new URL(httpUrl).host}`;
  await client.send(handshakeText([host, ...lines], `GET /ws${query} HTTP/1.1`));
  const answer = (await client.next())?.toString() ?? "";
  // The place is free again once the server has seen the connection end.
  if (answer.startsWith("HTTP/1.1 101")) await closed(client);
  return Number(answer.split(" ", 2)[1]);
}

async function closed(client: Awaited<ReturnType<typeof createRawClient>>): Promise<void> {
  await client.send(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
  await client.rest();
}
