import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { createTroupe } from "../../src/compose/create-troupe.ts";
import { createRawClient } from "../doubles/raw-client.ts";
import { openRawSocket } from "../support/raw-socket.ts";

/** A request whose body does not arrive. */
const unfinished = "PATCH /api/conversations/c-1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n";

for (const [name, limits] of [
  ["in all", { maxHttpConnections: 2 }],
  ["for one address", { maxHttpConnectionsPerAddress: 2 }],
] as const) {
  test(`HTTP requests are limited ${name} in an embedding program's server, and sockets do not count`, async () => {
    const troupe = await createTroupe({ localProviders: [], store: "memory", ...limits });
    const server = createServer(troupe.listener);
    troupe.attach(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const statusOf = async (path: string) => (await fetch(`${url}${path}`)).status;
    const sockets = [await openRawSocket(url), await openRawSocket(url), await openRawSocket(url)];
    assert.equal(await statusOf("/api/personas"), 200);
    const clients = [await createRawClient(url), await createRawClient(url)];
    for (const client of clients) await client.send(unfinished);
    while ((await statusOf("/api/personas")) !== 503) await nextLoopTurn();
    const refused = await fetch(`${url}/`);
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get("retry-after")) >= 1);
    assert.deepEqual([await statusOf("/healthz"), await statusOf("/readyz")], [200, 200]);
    sockets.push(await openRawSocket(url));
    for (const client of clients) client[Symbol.dispose]();
    while ((await statusOf("/api/personas")) !== 200) await nextLoopTurn();
    for (const socket of sockets) socket[Symbol.dispose]();
    server.closeAllConnections();
    server.close();
    await troupe.close({ drainMs: 0 });
  });
}

test("the only place of an address is free again after each of its requests", async () => {
  const troupe = await createTroupe({ localProviders: [], store: "memory", maxHttpConnectionsPerAddress: 1 });
  const answered: number[] = [];
  const server = createServer((request, response) => {
    response.once("close", () => answered.push(response.statusCode));
    troupe.listener(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/personas`;
  for (let count = 1; count <= 3; count += 1) {
    await (await fetch(url)).text();
    while (answered.length < count) await nextLoopTurn();
  }
  server.closeAllConnections();
  server.close();
  await troupe.close({ drainMs: 0 });
  assert.deepEqual(answered, [200, 200, 200]);
});
