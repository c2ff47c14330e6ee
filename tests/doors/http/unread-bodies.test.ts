import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { serveEndless } from "./endless-bodies.ts";

type Endless = Awaited<ReturnType<typeof serveEndless>>;

/** Asks for addresses and does not read the answers. */
async function ask({ url }: Endless, ...paths: readonly string[]): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
  await once(socket, "connect");
  socket.pause();
  socket.on("error", () => undefined);
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(""));
  return socket;
}

/** Reads until the server has read more pages, or the connection has ended. */
async function readOn(endless: Endless, socket: Socket): Promise<boolean> {
  const before = endless.pagesRead;
  socket.resume();
  while (endless.pagesRead === before && !socket.closed) await nextLoopTurn();
  socket.pause();
  return !socket.closed;
}

/** A pause after which a client that reads nothing is closed: 30 s, and up to 10 s until the next check. */
async function longPause(endless: Endless): Promise<void> {
  for (let looks = 0; looks < 5; looks += 1) await endless.clock.advance(10_000);
}

const conversation = "/conversations/c-1";

describe("a body whose client does not read", () => {
  for (const path of [conversation, `${conversation}/export`, `${conversation}/export?format=markdown`]) {
    it(`is made no further than the system takes it: ${path}`, async () => {
      await using endless = await serveEndless();
      const socket = await ask(endless, path);
      while (endless.pagesRead === 0) await nextLoopTurn();
      const pages = await endless.settled();
      // The operating system buffers a few MB per connection.
      assert.ok(pages < 1_000, `${pages} pages were read`);
      assert.ok(await readOn(endless, socket), "it goes on when the client reads");
      socket.destroy();
    });
  }

  it("ends its connection when nothing was taken for too long, and not before", async () => {
    await using endless = await serveEndless();
    const [still, slow] = [await ask(endless, conversation), await ask(endless, conversation)];
    while (endless.pagesRead < 2) await nextLoopTurn();
    await endless.settled();
    await endless.clock.advance(29_000);
    assert.ok(!still.closed);
    for (let rounds = 0; rounds < 10; rounds += 1) {
      assert.ok(await readOn(endless, slow), "one that reads slowly is kept");
      await endless.settled();
      await endless.clock.advance(9_000);
    }
    still.resume();
    await once(still, "close");
    slow.destroy();
  });

  it("ends its connection if it is the only one, and the next one's as well", async () => {
    await using endless = await serveEndless();
    for (let round = 0; round < 2; round += 1) {
      const socket = await ask(endless, conversation);
      await endless.settled();
      await longPause(endless);
      assert.ok(!(await readOn(endless, socket)), `connection ${round} is closed`);
      await endless.settled();
    }
    assert.equal(endless.clock.sleeping, 0);
  });

  it("is given up without a fault when its client leaves while a page is read", async () => {
    await using endless = await serveEndless();
    const release = endless.hold();
    const socket = await ask(endless, conversation);
    while (endless.pagesRead === 0) await nextLoopTurn();
    socket.destroy();
    await once(socket, "close");
    await endless.settled();
    release();
    assert.equal(await endless.settled(), 1);
    assert.deepEqual(endless.faults, []);
  });

  it("is cut when its conversation is deleted, so that a part is never taken for the whole", async () => {
    await using endless = await serveEndless();
    const response = await fetch(`${endless.url}${conversation}`);
    endless.remove();
    await assert.rejects(response.text());
    assert.equal(endless.faults.length, 1);
  });
});

it("asks the store for few pages at a time, whatever the number of readers, and serves all readers", async () => {
  await using endless = await serveEndless();
  const release = endless.hold();
  const sockets = await Promise.all(Array.from({ length: 20 }, () => ask(endless, conversation)));
  while (endless.pagesRead === 0) await nextLoopTurn();
  const atOnce = await endless.settled();
  assert.ok(atOnce <= 4, `${atOnce} pages are asked for`);
  for (const socket of sockets) socket.resume();
  const answered = Promise.all(sockets.map((socket) => once(socket, "data")));
  release();
  await answered;
  for (const socket of sockets) socket.destroy();
});

describe("the limits of HTTP requests", () => {
  it("refuse one more with 503 and a retry time, and free every place again", async () => {
    await using endless = await serveEndless({ maxInAll: 2 });
    for (let round = 0; round < 3; round += 1) {
      const stalled = [await ask(endless, conversation), await ask(endless, conversation)];
      await endless.settled();
      const refused = await fetch(`${endless.url}${conversation}`);
      assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "3"]);
      assert.equal(((await refused.json()) as { code: string }).code, "overloaded");
      assert.equal((await fetch(`${endless.url}/healthz`)).status, 200);
      if (round === 0) for (const socket of stalled) socket.destroy();
      else await longPause(endless);
      for (const socket of stalled) {
        socket.resume();
        if (!socket.closed) await once(socket, "close");
      }
      const abort = new AbortController();
      const served = await fetch(`${endless.url}${conversation}`, { signal: abort.signal });
      assert.equal(served.status, 200);
      abort.abort();
      await endless.settled();
    }
  });

  it("count one address by itself, and requests that one connection sends ahead as well", async () => {
    await using endless = await serveEndless({ maxPerAddress: 3 });
    const socket = await ask(endless, ...Array.from({ length: 50 }, () => conversation));
    await endless.settled();
    assert.equal((await fetch(`${endless.url}${conversation}`)).status, 503);
    const from = { host: "127.0.0.1", port: new URL(endless.url).port, localAddress: "127.0.0.2" };
    const [elsewhere] = (await once(get({ ...from, path: conversation }), "response")) as [IncomingMessage];
    assert.equal(elsewhere.statusCode, 200);
    elsewhere.destroy();
    socket.destroy();
    await once(socket, "close");
    await endless.settled();
    const abort = new AbortController();
    assert.equal((await fetch(`${endless.url}${conversation}`, { signal: abort.signal })).status, 200);
    abort.abort();
  });
});
