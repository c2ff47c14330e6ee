import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { test } from "node:test";
import { createRawClient } from "../doubles/raw-client.ts";
import { frameBytes, handshakeText, openRawSocket } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";

/** The server's whole answer to a head, up to the end of the connection. */
async function answerTo(httpUrl: string, head: string): Promise<string> {
  using client = await createRawClient(httpUrl);
  await client.send(head);
  // The server must close by itself, because this client keeps its half open.
  return await client.rest();
}

test("bad handshakes get the right status, and their connection is let go of", async () => {
  await using server = await startTroupe();
  const manyHeaders = Array.from({ length: 300 }, (_, index) => `X-${index}: 1`);
  const moreHeaders = Array.from({ length: 2_001 }, (_, index) => `X${index}:`);
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const rows: readonly (readonly [string, string, number])[] = [
    ["no key", handshakeText(["Sec-WebSocket-Key:"]), 400],
    ["a short key", handshakeText(["Sec-WebSocket-Key: AAAA"]), 400],
    ["two keys", handshakeText([key, key]), 400],
    ["version 8", handshakeText(["Sec-WebSocket-Version: 8"]), 426],
    ["no version", handshakeText(["Sec-WebSocket-Version:"]), 426],
    ["two versions", handshakeText(["Sec-WebSocket-Version: 13, 8"]), 426],
    ["another upgrade", handshakeText(["Upgrade: h2c"]), 400],
    ["no upgrade at all", handshakeText(["Connection: close", "Upgrade:"]), 426],
    ["HTTP/1.0", handshakeText([], "GET /ws HTTP/1.0"), 400],
    ["HTTP/3.0", handshakeText([], "GET /ws HTTP/3.0"), 400],
    ["POST", handshakeText([], "POST /ws HTTP/1.1"), 405],
    ["an absolute address", handshakeText([], "GET http://127.0.0.1/ws HTTP/1.1"), 404],
    ["a path with dots", handshakeText([], "GET /ws/../ws HTTP/1.1"), 404],
    ["no host", handshakeText(["Host:"]), 400],
    ["two hosts", handshakeText(["Host: 127.0.0.1", "Host: evil.example"]), 400],
    ["300 headers", handshakeText(manyHeaders), 431],
    ["2,001 headers", handshakeText(moreHeaders), 431],
    ["a header of 17 KB", handshakeText([`X-Long: ${"x".repeat(17_000)}`]), 431],
    ["a bad list of protocols", handshakeText(["Sec-WebSocket-Protocol: troupe,,troupe"]), 400],
    ["a protocol twice", handshakeText(["Sec-WebSocket-Protocol: troupe, troupe"]), 400],
    [
      "two ways to say a length",
      handshakeText(["Content-Length: 4", "Transfer-Encoding: chunked"], "POST /ws HTTP/1.1"),
      400,
    ],
    ["the greeting of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  ];
  const results: (readonly [string, number])[] = [];
  for (const [name, head] of rows) {
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(await answerTo(server.httpUrl, head))?.[1];
    results.push([name, Number(status)]);
  }
  assert.deepEqual(
    results,
    rows.map(([name, , status]) => [name, status]),
  );
  assert.equal(server.troupe.stats().connections, 0);
});

test("an odd but harmless handshake is accepted, and costs no time", async () => {
  await using server = await startTroupe();
  const protocols = Array.from({ length: 1_500 }, (_, index) => `p${index}`).join(", ");
  for (const line of [
    "Sec-WebSocket-Extensions: constructor, __proto__; toString=1",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    `Sec-WebSocket-Protocol: ${protocols}`,
  ]) {
    using client = await createRawClient(server.httpUrl);
    await client.send(handshakeText([line]));
    const answer = String(await client.next());
    assert.match(answer, /^HTTP\/1\.1 101 /);
    assert.doesNotMatch(answer, /sec-websocket-(extensions|protocol)/i);
  }
});

test("bytes after the handshake are frames, with any content", async () => {
  await using server = await startTroupe();
  using right = await createRawClient(server.httpUrl);
  const ping = frameBytes({ opcode: 1, payload: '{"type":"ping","id":"early"}' });
  await right.send(Buffer.concat([Buffer.from(handshakeText()), ping]));
  let text = "";
  while (!text.includes("early")) text += await right.next();
  assert.match(text, /^HTTP\/1\.1 101 [\s\S]*\{"type":"pong","id":"early"\}$/);

  const second = "GET /api/personas HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  const answer = await answerTo(server.httpUrl, `${handshakeText()}${second}`);
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1);
});

test("if keys are needed, a connection without one never becomes a socket", async () => {
  const key = "0123456789abcdef";
  await using server = await startTroupe({ apiKeys: [{ owner: "ada", key }] });
  for (const line of [
    "X-None: 1",
    "Authorization: Bearer wrong",
    "Sec-WebSocket-Protocol: troupe.token.wrong",
  ]) {
    const answer = await answerTo(server.httpUrl, handshakeText([line]));
    assert.match(answer, /^HTTP\/1\.1 401 Unauthorized\r\n[\s\S]*WWW-Authenticate: Bearer\r\n/);
  }
  assert.equal(server.troupe.stats().connections, 0);
  await server.connect({ headers: { authorization: `Bearer ${key}` } });
});

test("a full server gives a retry time, each time another one, and accepts the next client when one has left", async () => {
  const draws = [0, 0.5, 0.999];
  await using server = await startTroupe({
    maxConnections: 1,
    reconnectSpreadMs: 10_000,
    random: () => draws.shift() ?? 0,
  });
  const first = await openRawSocket(server.httpUrl);
  for (const seconds of [0, 5, 10]) {
    assert.match(
      await answerTo(server.httpUrl, handshakeText()),
      new RegExp(`^HTTP/1\\.1 503 [\\s\\S]*Retry-After: ${seconds}\r\n`),
    );
  }
  first[Symbol.dispose]();
  while (server.troupe.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  await server.connect();
  assert.equal(server.troupe.stats().connections, 1);
});

test("a peer that breaks off in the middle of its handshake leaves no trace", async () => {
  await using server = await startTroupe();
  const { port } = new URL(server.httpUrl);
  for (let count = 0; count < 50; count += 1) {
    const socket = connectTcp(Number(port), "127.0.0.1");
    await once(socket, "connect");
    socket.write(handshakeText().slice(0, 40 + count));
    socket.resetAndDestroy();
  }
  const client = await server.connect();
  client.send({ type: "ping" });
  await client.next((message) => message.type === "pong");
  assert.equal(server.troupe.stats().connections, 1);
});
