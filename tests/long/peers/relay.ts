import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A proxy between a client and a server, so that every peer meets the same faults of a network. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Ends every connection at once, on both sides. */
  cut(): void;
  /** Cuts all connections, and refuses new ones until `unblock`. */
  block(): void;
  unblock(): void;
  /** Reads nothing from the server until `flow`, like a client that does not read. */
  stall(): void;
  flow(): void;
}

/** `targetPort` is called for each connection. While no server listens there, connections are refused. */
export async function createRelay(targetPort: () => number): Promise<Relay> {
  const pairs = new Set<{ readonly client: Socket; readonly server: Socket }>();
  let blocked = false;

  function carry(client: Socket): void {
    if (blocked) return void client.destroy();
    const server = connect({ port: targetPort(), host: "127.0.0.1" });
    const pair = { client, server };
    pairs.add(pair);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.setNoDelay(true);
      from.pipe(to);
      // The other side is told by its own close.
      from.on("error", () => to.destroy());
      from.on("close", () => {
        pairs.delete(pair);
        to.destroy();
      });
    }
  }

  const listener = createServer(carry);
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");

  function cut(): void {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  return {
    port: (listener.address() as AddressInfo).port,
    cut,
    block() {
      blocked = true;
      cut();
    },
    unblock() {
      blocked = false;
    },
    stall() {
      for (const { client, server } of pairs) server.unpipe(client).pause();
    },
    flow() {
      for (const { client, server } of pairs) server.pipe(client);
    },
    async [Symbol.asyncDispose]() {
      blocked = true;
      const closed = once(listener, "close");
      listener.close();
      cut();
      await closed;
    },
  };
}
