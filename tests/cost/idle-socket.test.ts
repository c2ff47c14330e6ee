import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { it } from "node:test";
import { setImmediate as nextImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WebSocketServer } from "ws";
import { handshakeText } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";

const fewSockets = 100;
const moreSockets = 400;
/** A little above what it is. */
const mostBytes = 300;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Heap of one more WebSocket at a port that is open and says nothing, its other end included. */
async function heapOfSocket(port: number): Promise<number> {
  const sockets: Socket[] = [];
  const open = async (count: number) => {
    for (let opened = 0; opened < count; opened += 1) {
      const socket = connect(port, "127.0.0.1");
      socket.write(handshakeText());
      const [answer] = (await once(socket, "data")) as [Buffer];
      assert.match(answer.toString("latin1"), /^HTTP\/1.1 101/);
      sockets.push(socket);
    }
  };
  const heap = async () => {
    await nextImmediate();
    collect();
    return process.memoryUsage().heapUsed;
  };
  await open(fewSockets);
  const few = await heap();
  await open(moreSockets);
  const many = await heap();
  for (const socket of sockets) socket.destroy();
  return (many - few) / moreSockets;
}

it("an idle socket takes little more than the WebSocket package takes for it", async (test) => {
  const bare = new WebSocketServer({ port: 0, host: "127.0.0.1", clientTracking: false, autoPong: false });
  await once(bare, "listening");
  const least = await heapOfSocket((bare.address() as AddressInfo).port);
  bare.close();
  await using server = await startTroupe({ maxConnectionsPerKey: fewSockets + moreSockets });
  const bytes = (await heapOfSocket(Number(new URL(server.url).port))) - least;
  test.diagnostic(`${Math.round(bytes)} bytes above ${Math.round(least)}`);
  assert.ok(bytes <= mostBytes, `${Math.round(bytes)} bytes, at most ${mostBytes}`);
});
