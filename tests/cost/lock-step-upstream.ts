import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setImmediate as nextImmediate } from "node:timers/promises";
import { composeAnswer, composeDeltas } from "../../bench/upstream/answer-bytes.ts";
import { createRequestReader } from "../doubles/request-reader.ts";

/** A provider that sends a token on every stream at once when it is told to, and does next to no other work. */
export interface LockStepUpstream extends AsyncDisposable {
  readonly port: number;
  /** Number of streams that were asked for. */
  readonly streams: number;
  /** Sends one token on each stream, in a packet of its own, and lets a reader in this process read it. */
  say(): Promise<void>;
}

export async function startLockStepUpstream(): Promise<LockStepUpstream> {
  const answer = composeAnswer("responses");
  const sockets: Socket[] = [];
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    const reader = createRequestReader();
    connections.add(socket);
    socket.setNoDelay(true);
    // The server cuts its calls when it stops.
    socket.on("error", () => socket.destroy());
    socket.on("data", (received) => {
      for (const _ of reader.push(received)) {
        socket.write(answer.opening);
        sockets.push(socket);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  let number = 0;
  return {
    port: (server.address() as AddressInfo).port,
    get streams() {
      return sockets.length;
    },
    async say() {
      number += 1;
      for (const socket of sockets) socket.write(composeDeltas("responses", 0, number, 1));
      // An immediate that is set while the loop polls runs before the next poll.
      await nextImmediate();
      await nextImmediate();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of connections) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
