import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { WebSocket } from "ws";
import type { HandshakeRefusal } from "../../../src/adapters/ws/handshake.ts";
import { createSocketPlaces } from "../../../src/adapters/ws/socket-places.ts";
import { WsServer } from "../../../src/adapters/ws/ws-server.ts";
import type { Caller } from "../../../src/ports/caller.ts";
import { wireLimits } from "../../../src/protocol/limits.ts";
import { openRawSocket } from "../../support/raw-socket.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { until } from "../../support/until.ts";

const ada: Caller = { owner: "ada", keyId: "k", limits: {} };

interface Limits {
  readonly maxConnections?: number;
  readonly maxConnectionsPerKey?: number;
}

/** A door that admits as the test says and ignores frames, unless `receive` takes them. */
async function startDoor(
  admit: () => Promise<Caller | HandshakeRefusal>,
  limits: Limits = {},
  receive: () => Promise<void> = async () => undefined,
) {
  const clock = createTestClock();
  const faults: unknown[] = [];
  const refused: number[] = [];
  const door = new WsServer({
    ...{ clock, path: "/ws", pingIntervalMs: 600_000, retryAfterMs: () => 3_000 },
    maxConnections: limits.maxConnections ?? 10,
    places: createSocketPlaces({
      maxInAll: limits.maxConnections ?? 10,
      maxPerKey: limits.maxConnectionsPerKey ?? 10,
    }),
    isAdmitted: () => true,
    observer: {
      faulted({ where, error }) {
        assert.equal(where, "handshake", "a fault of a client");
        faults.push(error);
      },
    },
    onRefused: ({ status }) => refused.push(status),
    connect: () => ({
      receive,
      settle: async () => undefined,
      canMove: true,
      close: async () => undefined,
    }),
    admit,
  });
  const http = createServer();
  door.attach(http);
  await once(http.listen(0, "127.0.0.1"), "listening");
  const { port } = http.address() as AddressInfo;
  const open = new Set<WebSocket>();
  return {
    ...{ clock, door, faults, refused, httpUrl: `http://127.0.0.1:${port}` },
    /** The status that answers a handshake; 101 if it was admitted. */
    async knock(): Promise<number> {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
      open.add(socket);
      return new Promise((resolve) => {
        socket.once("open", () => resolve(101));
        socket.once("unexpected-response", (_, { statusCode = 0 }) => resolve(statusCode));
        socket.on("error", () => resolve(0));
      });
    },
    async leave() {
      for (const socket of open) socket.terminate();
      await until(() => door.count === 0);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.terminate();
      await door.close(Promise.resolve(), 0);
      http.close();
      http.closeAllConnections();
    },
  };
}

for (const [name, fail, status] of [
  ["a decision that fails", () => Promise.reject(new Error("The store is gone.")), 500],
  ["a refusal", () => Promise.resolve({ status: 401, code: "refused", message: "Who are you?" }), 401],
] as const)
  test(`${name} is answered with ${status}, and its place is free again`, async () => {
    let decide: () => Promise<Caller | HandshakeRefusal> = fail;
    await using system = await startDoor(() => decide(), { maxConnections: 1, maxConnectionsPerKey: 1 });
    for (let time = 1; time <= 2; time += 1) {
      assert.equal(await system.knock(), status);
      assert.equal(system.faults.length, status === 500 ? time : 0);
    }
    decide = async () => ada;
    assert.equal(await system.knock(), 101);
  });

test("a handshake that is being decided about takes a place", async () => {
  const decided = Promise.withResolvers<Caller>();
  let asked = 0;
  const admit = () => {
    asked += 1;
    return decided.promise;
  };
  await using system = await startDoor(admit, { maxConnections: 1 });
  const first = system.knock();
  await until(() => asked === 1);
  assert.equal(await system.knock(), 503);
  decided.resolve(ada);
  assert.equal(await first, 101);
  assert.equal(await system.knock(), 503);
  await system.leave();
  assert.equal(await system.knock(), 101);
});

test("one socket more than a key may have is answered with 429; there is room again when one is gone", async () => {
  await using system = await startDoor(async () => ada, { maxConnectionsPerKey: 2 });
  for (let round = 0; round < 2; round += 1) {
    assert.deepEqual([await system.knock(), await system.knock()], [101, 101]);
    assert.deepEqual([await system.knock(), await system.knock()], [429, 429]);
    assert.deepEqual(system.refused.splice(0), [429, 429]);
    assert.equal(system.door.count, 2);
    await system.leave();
  }
});

test("pings that arrive together get two pongs: for the first and the latest", async () => {
  await using system = await startDoor(async () => ada);
  using socket = await openRawSocket(system.httpUrl);
  const ping = (payload: string) => ({ opcode: 9, payload });
  await socket.send(...["1", "2", "3"].map(ping));
  assert.equal((await socket.next())?.payload.toString(), "1");
  assert.equal((await socket.next())?.payload.toString(), "3");
  await socket.send(ping("4"));
  assert.equal((await socket.next())?.payload.toString(), "4");
});

test("a message that could not be read to its end has its whole time again, and no more", async () => {
  const handled = Promise.withResolvers<void>();
  let received = 0;
  const receive = () => {
    received += 1;
    return handled.promise;
  };
  await using system = await startDoor(async () => ada, {}, receive);
  using socket = await openRawSocket(system.httpUrl);
  const whole = Array.from({ length: 100 }, () => ({ opcode: 1, payload: "{}" }));
  await socket.send(...whole, { opcode: 1, payload: "{", fin: false });
  await until(() => received === 1);
  for (let turns = 0; turns < 200; turns += 1) await nextLoopTurn();
  await system.clock.advance(2 * wireLimits.messageMs);
  handled.resolve();
  await until(() => received === whole.length);
  for (let turns = 0; turns < 200; turns += 1) await nextLoopTurn();
  await system.clock.advance(wireLimits.messageMs - 1);
  await socket.send({ opcode: 9, payload: "still here" });
  assert.equal((await socket.next())?.opcode, 10);
  await system.clock.advance(1);
  await socket.send({ opcode: 9, payload: "no more" });
  assert.equal((await socket.next())?.opcode, 8);
});
