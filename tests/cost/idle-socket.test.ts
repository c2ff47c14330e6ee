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

const fewSockets = 50;
const moreSockets = 300;
/** Other objects in the heap move a measurement by some hundred bytes per socket. It was 5,800 bytes once. */
const maxBytes = 1_500;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/**
 * Heap in use once nothing more can be freed. It takes several collections, because some objects become free only after
 * others are gone.
 */
async function heap(): Promise<number> {
  let [least, before] = [process.memoryUsage().heapUsed, Number.POSITIVE_INFINITY];
  while (least < before) {
    before = least;
    for (let count = 0; count < 3; count += 1) {
      await nextImmediate();
      collect();
    }
    least = Math.min(least, process.memoryUsage().heapUsed);
  }
  return least;
}

/** Heap used by one more open, silent WebSocket at a port, including its client end. */
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
  await using server = await startTroupe({ maxConnectionsPerKey: fewSockets + moreSockets });
  const ofBare = await heapOfSocket((bare.address() as AddressInfo).port);
  const ofServer = await heapOfSocket(Number(new URL(server.url).port));
  bare.close();
  const bytes = ofServer - ofBare;
  test.diagnostic(`${Math.round(bytes)} bytes above ${Math.round(ofBare)}`);
  assert.ok(bytes <= maxBytes, `${Math.round(bytes)} bytes, at most ${maxBytes}`);
});
