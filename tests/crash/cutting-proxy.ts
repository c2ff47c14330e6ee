import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { SeededRandom } from "./seeded-random.ts";

/** The ways in which the proxy ends a connection. */
const ways = [
  /** RST in both directions. */
  "reset",
  /** FIN in both directions, no closing handshake. */
  "end",
  /** The client is cut off and reconnects while the server still has the old connection open. */
  "silent",
  /** Cut in the middle of the client's data. */
  "upward",
] as const;
export type CutWay = (typeof ways)[number];

/** A proxy between clients and a server. It cuts connections after a random number of bytes, also inside a frame. */
export interface CuttingProxy extends AsyncDisposable {
  readonly url: string;
  readonly cuts: Readonly<Record<CutWay, number>>;
  /** Settles once `cuts` connections were cut. */
  reached(cuts: number): Promise<void>;
  /** Stops cutting. */
  heal(): void;
}

/** Maximum bytes to the client before a cut. Few connections carry much more, so replays are cut as often as answers. */
const maxBytesDown = 12_000;
/** The handshake has about 200 bytes, and so does a request. */
const maxBytesUp = 800;

export async function createCuttingProxy(targetPort: number, random: SeededRandom): Promise<CuttingProxy> {
  const cuts = { reset: 0, end: 0, silent: 0, upward: 0 };
  const sockets = new Set<Socket>();
  const waiting = new Map<number, PromiseWithResolvers<void>>();
  let healed = false;
  const count = () => Object.values(cuts).reduce((sum, some) => sum + some, 0);

  function hold(socket: Socket): void {
    sockets.add(socket);
    socket.setNoDelay(true);
    // Connections are broken on purpose here; `close` follows.
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  }

  function noteCut(way: CutWay): void {
    cuts[way] += 1;
    waiting.get(count())?.resolve();
  }

  function cut(way: CutWay, client: Socket, server: Socket): void {
    noteCut(way);
    if (way === "reset") {
      client.resetAndDestroy();
      server.resetAndDestroy();
    } else if (way === "silent") {
      client.destroy();
      server.pause();
      setTimeout(() => server.resetAndDestroy(), random.between(20, 500)).unref();
    } else {
      client.end();
      server.end();
      server.once("close", () => client.destroy());
    }
  }

  function carry(client: Socket): void {
    const server = connect({ port: targetPort, host: "127.0.0.1" });
    const way = random.pick(ways);
    // Small numbers are the most likely.
    const bytesDown = way === "upward" ? Infinity : Math.floor(maxBytesDown * random.next() ** 3);
    const bytesUp = way === "upward" ? Math.floor(maxBytesUp * random.next()) : Infinity;
    let isCut = false;
    hold(client);
    hold(server);

    function carryUpTo(maxBytes: number, from: Socket, to: Socket): void {
      let carried = 0;
      from.on("data", (bytes) => {
        if (isCut) return;
        if (healed || carried + bytes.length <= maxBytes) {
          carried += bytes.length;
          to.write(bytes);
          return;
        }
        isCut = true;
        to.write(bytes.subarray(0, maxBytes - carried), () => cut(way, client, server));
      });
      from.on("close", () => {
        if (!isCut) to.destroy();
      });
    }
    carryUpTo(bytesDown, server, client);
    carryUpTo(bytesUp, client, server);
  }

  const listener = createServer(carry);
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    url: `ws://127.0.0.1:${(listener.address() as AddressInfo).port}/ws`,
    cuts,
    reached(target) {
      const reached = waiting.get(target) ?? Promise.withResolvers<void>();
      waiting.set(target, reached);
      if (count() >= target) reached.resolve();
      return reached.promise;
    },
    heal() {
      healed = true;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(listener, "close");
      listener.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
