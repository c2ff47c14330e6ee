import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createTroupe, type Troupe } from "../../src/compose/create-troupe.ts";
import { createRawClient } from "../doubles/raw-client.ts";
import { handshakeText } from "../support/raw-socket.ts";

/** An HTTP server with a troupe at each path. */
async function serve(...paths: string[]) {
  const troupes: Troupe[] = [];
  for (const path of paths) troupes.push(await createTroupe({ localProviders: [], store: "memory", path }));
  const server: Server = createServer((_request, response) => response.writeHead(404).end());
  const detach = troupes.map((troupe) => troupe.attach(server));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...{ server, troupes, detach },
    async upgrade(path: string): Promise<string> {
      using client = await createRawClient(url);
      await client.send(handshakeText([], `GET ${path} HTTP/1.1`));
      const head = (await client.next())?.toString() ?? "";
      // Reads one answer, then closes the connection.
      if (!head.startsWith("HTTP/1.1 101"))
        assert.equal(`${head}${await client.rest()}`.match(/HTTP\/1\.1/g)?.length, 1);
      return head.split("\r\n", 1)[0] ?? "";
    },
    async [Symbol.asyncDispose]() {
      server.close();
      await Promise.all(troupes.map((troupe) => troupe.close({ drainMs: 0 })));
      server.closeAllConnections();
    },
  };
}

test("several doors on one server open their own paths, and one answers for all other paths", async () => {
  await using several = await serve("/ws", "/second/ws", "/third/ws");
  for (const path of ["/ws", "/second/ws", "/third/ws?x=1"])
    assert.equal(await several.upgrade(path), "HTTP/1.1 101 Switching Protocols");
  for (const path of ["/", "/fourth/ws", "/ws/", "/second"])
    assert.equal(await several.upgrade(path), "HTTP/1.1 404 Not Found");
  several.detach[0]?.();
  assert.equal(await several.upgrade("/ws"), "HTTP/1.1 404 Not Found");
  assert.equal(await several.upgrade("/third/ws"), "HTTP/1.1 101 Switching Protocols");
});

test("a foreign listener keeps every path that is not a door's, however long it takes", async () => {
  await using several = await serve("/ws", "/second/ws");
  several.server.on("upgrade", ({ url }, stream) => {
    if (url?.endsWith("/ws") === false)
      setImmediate(() => stream.end("HTTP/1.1 418 Mine\r\nConnection: close\r\n\r\n"));
  });
  assert.equal(await several.upgrade("/elsewhere"), "HTTP/1.1 418 Mine");
  assert.equal(await several.upgrade("/second/ws"), "HTTP/1.1 101 Switching Protocols");
});

test("a path that no client could ask for is refused at the start", async () => {
  for (const path of ["", "ws", "/", "/ws/", "/a/../ws", "/a b", "/ws?x", "//evil.example/ws"])
    await assert.rejects(
      createTroupe({ localProviders: [], store: "memory", path }),
      { name: "SettingError" },
      path,
    );
});

test("probes in the folder of the path are answered however full the server is", async () => {
  const late = Promise.withResolvers<undefined>();
  const asked = Promise.withResolvers<void>();
  const troupe = await createTroupe({
    ...{ localProviders: [], store: "memory", path: "/troupe/ws", maxHttpConnections: 1 },
    authenticate() {
      asked.resolve();
      return late.promise;
    },
  });
  const server = createServer(troupe.listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/troupe`;
  const first = fetch(`${url}/api/personas`);
  await asked.promise;
  assert.equal((await fetch(`${url}/api/personas`)).status, 503);
  for (const probe of ["/healthz", "/readyz"]) assert.equal((await fetch(`${url}${probe}`)).status, 200);
  late.resolve(undefined);
  assert.equal((await first).status, 401);
  server.close();
  await troupe.close();
  server.closeAllConnections();
});
