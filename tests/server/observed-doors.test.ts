import assert from "node:assert/strict";
import { test } from "node:test";
import { createNotingObserver } from "../support/noting-observer.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import { connect, type WireClient } from "../support/wire-client.ts";

async function start() {
  const clock = createTestClock();
  const noted = createNotingObserver();
  const server = await startTroupe({ clock, observer: noted.observer });
  return { clock, noted, server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const closes: readonly (readonly [string, (client: WireClient) => void, string])[] = [
  ["whose client closes it", (client) => client.close(), "client"],
  ["that is cut", (client) => client.terminate(), "lost"],
  ["that breaks the rules", (client) => client.sendText("x".repeat(4_000_000)), "message_too_big"],
];
for (const [name, close, reason] of closes)
  test(`a connection ${name} is told once, with its reason and its duration`, async () => {
    await using system = await start();
    const { noted, clock, server } = system;
    const client = await server.connect();
    await until(() => noted.of("connectionOpened").length === 1);
    await clock.advance(500);
    close(client);
    await until(() => noted.of("connectionClosed").length === 1);
    const [[opened] = []] = noted.of("connectionOpened");
    assert.deepEqual(opened, { door: "websocket" });
    assert.deepEqual(noted.of("connectionClosed"), [[opened, { reason, durationMs: 500 }]]);
    assert.equal(noted.of("connectionClosed")[0]?.[0], opened);
    assert.deepEqual(
      noted.of("faulted").map(([{ where }]) => where),
      reason === "message_too_big" ? ["connection"] : [],
    );
  });

test("a connection that the stopping server closes is told as restarting", async () => {
  const system = await start();
  const client = await system.server.connect();
  await system.server.troupe.close();
  await client.closed;
  assert.deepEqual(
    system.noted.of("connectionClosed").map(([, { reason }]) => reason),
    ["restarting"],
  );
  await system[Symbol.asyncDispose]();
});

test("refused heads are told once each, with the status and a part of the client's own words", async () => {
  await using system = await start();
  const { noted, server } = system;
  const told = () => {
    const [[refusal] = []] = noted.of("refused").slice(-1);
    assert.ok(refusal !== undefined && refusal.at !== "frame");
    const { client, message, ...rest } = refusal;
    return { ...rest, ...client(), says: message };
  };
  const origin = "https://evil.example";
  await assert.rejects(connect(server.url, { headers: { origin } }));
  const says = "Pages of this origin may not use the server; TROUPE_ALLOWED_ORIGINS adds origins.";
  const host = "127.0.0.1";
  const refused = { code: "forbidden_origin", status: 403, address: "127.0.0.1", host, origin, says };
  assert.deepEqual(told(), { at: "handshake", ...refused });
  await fetch(`${server.httpUrl}/api/conversations/c`, { method: "DELETE", headers: { origin } });
  assert.deepEqual(told(), { at: "http", ...refused });
  assert.deepEqual(noted.names(), ["refused", "refused"]);
});
