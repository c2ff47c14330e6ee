import assert from "node:assert/strict";
import { test } from "node:test";
import { createRawClient } from "../doubles/raw-client.ts";
import { adminKey, startKeySystem } from "../support/key-system.ts";
import { handshakeText } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";

async function answerTo(httpUrl: string, head: string): Promise<string> {
  using client = await createRawClient(httpUrl);
  await client.send(head);
  return await client.rest();
}

test("an address that takes other methods answers 405 and names them, any other 404", async () => {
  await using server = await startTroupe();
  const rows = [
    ["POST", "/", "GET, HEAD"],
    ["POST", "/healthz", "GET, HEAD"],
    ["DELETE", "/readyz", "GET, HEAD"],
    ["POST", "/ws", "GET, HEAD, OPTIONS"],
    ["PUT", "/api/personas", "GET, HEAD"],
    ["GET", "/api/tickets", "POST"],
    ["POST", "/api/conversations", "GET, HEAD"],
    ["PUT", "/api/conversations/some", "DELETE, GET, HEAD, PATCH"],
    ["POST", "/api/conversations/some/export", "GET, HEAD"],
    ["DELETE", "/api/requests/some", "GET, HEAD"],
    ["PATCH", "/api/usage", "GET, HEAD"],
    // Without the administrator's key, these routes do not exist.
    ["PUT", "/api/keys", null],
    ["GET", "/api/keys/some", null],
    ["PUT", "/api/nowhere", null],
    ["PUT", "/nowhere", null],
  ] as const;
  for (const [method, address, allow] of rows) {
    const response = await fetch(`${server.httpUrl}${address}`, { method });
    const methods = response.headers.get("allow")?.split(", ").sort().join(", ") ?? null;
    const { code } = (await response.json()) as { code: string };
    const expected = allow === null ? [404, null, "not_found"] : [405, allow, "method_not_allowed"];
    assert.deepEqual([response.status, methods, code], expected, `${method} ${address}`);
  }
  const handshake = await answerTo(server.httpUrl, handshakeText([], "POST /ws HTTP/1.1"));
  assert.match(handshake, /^HTTP\/1\.1 405 [\s\S]*\r\nAllow: GET\r\n/);
});

test("every refusal of a head under /api is JSON, however its address is written", async () => {
  await using server = await startTroupe();
  for (const target of [
    "/api",
    "/api/",
    "/api/personas",
    "http://evil.example/api/personas",
    "//api/personas",
  ])
    for (const [host, status, code] of [
      ["Host: evil.example", 421, "unserved_host"],
      ["Host: a b", 400, "bad_host"],
      ["Host: localhost\r\nX-Forwarded-For: 192.0.2.1", 403, "forbidden_proxy"],
    ] as const) {
      const answer = await answerTo(
        server.httpUrl,
        `GET ${target} HTTP/1.1\r\nConnection: close\r\n${host}\r\n\r\n`,
      );
      const [head = "", body = ""] = answer.split("\r\n\r\n");
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*content-type: application/json`), target);
      assert.equal((JSON.parse(body) as { code: string }).code, code, target);
    }
});

test("every 401 names the scheme of its credentials, and no other answer does", async () => {
  await using system = await startKeySystem();
  const { key } = await system.makeKey("ada");
  const seen = new Set<number>();
  for (const path of ["/api/personas", "/api/keys", "/api/nowhere", "/api/conversations/some", "/ws"])
    for (const method of ["GET", "POST"])
      for (const shown of [undefined, "wrong-0123456789abcdef", key, adminKey])
        for (const origin of [undefined, "https://evil.example"]) {
          const headers = {
            ...(shown === undefined ? {} : { authorization: `Bearer ${shown}` }),
            ...(origin === undefined ? {} : { origin }),
          };
          const { status, headers: answered } = await fetch(`${system.server.httpUrl}${path}`, {
            method,
            headers,
          });
          seen.add(status);
          const scheme = answered.get("www-authenticate");
          assert.equal(scheme, status === 401 ? "Bearer" : null, `${method} ${path} ${shown} ${status}`);
        }
  for (const status of [200, 401, 403, 404]) assert.ok(seen.has(status), [...seen].join());
});

test("a socket above the limit is told when to come again, in the handshake and over HTTP", async () => {
  for (const [options, status] of [
    [{ maxConnectionsPerKey: 1 }, 429],
    [{ maxConnections: 1 }, 503],
  ] as const) {
    await using server = await startTroupe({ ...options, reconnectSpreadMs: 60_000 });
    await server.connect();
    const refused = new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\\r\\nRetry-After: \\d+\\r\\n`);
    assert.match(await answerTo(server.httpUrl, handshakeText()), refused);
    const beside = await fetch(`${server.httpUrl}/ws`);
    assert.equal(beside.status, status);
    assert.match(beside.headers.get("retry-after") ?? "", /^\d+$/);
  }
});

test("every route reads a body of 64 KiB and refuses a longer one", async () => {
  await using system = await startKeySystem();
  const padded = (bytes: number) => {
    const text = JSON.stringify({ owner: "ada" });
    return `${text.slice(0, -1)}${" ".repeat(bytes - text.length)}}`;
  };
  const post = (bytes: number) =>
    fetch(`${system.server.httpUrl}/api/keys`, {
      method: "POST",
      headers: { authorization: `Bearer ${adminKey}` },
      body: padded(bytes),
    });
  assert.equal((await post(65_536)).status, 201);
  const tooLong = await post(65_537);
  assert.deepEqual(
    [tooLong.status, ((await tooLong.json()) as { code: string }).code],
    [413, "body_too_large"],
  );
});
