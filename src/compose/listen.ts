import { once } from "node:events";
import http, { type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Troupe } from "./troupe.ts";

/** Answers the requests of an HTTP server: a troupe, for example. */
type Served = Pick<Troupe, "attach" | "listener">;

/** Listening HTTP servers. */
export interface Listening {
  readonly port: number;
  /** Takes no new connections. Settles when the open ones have ended; the rest are closed when `over` settles. */
  stop(over: Promise<unknown>): Promise<void>;
}

/** The time a client has to send the head of its request. An idle connection may last no longer either. */
const headersTimeoutMs = 9_000;
/** For the whole request; bodies are short. */
const requestTimeoutMs = 30_000;
/** How often Node checks for connections that took too long. */
const checkIntervalMs = 1_000;

interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Other processes of this user may listen there as well; the system gives each connection to one of them. Default false. */
  readonly reusePort?: boolean;
}

/**
 * Listens on `host` and `port`; `localhost` means both loopback addresses, if this machine has both.
 * Rejects with the system's error, such as `EADDRINUSE`.
 */
export async function listen(served: Served, options: ListenOptions): Promise<Listening> {
  if (options.host !== "localhost") {
    const server = await open(served, options);
    return { port: portOf(server), stop: (over) => stop([server], over) };
  }
  const first = await open(served, { ...options, host: "127.0.0.1" });
  const servers = [first];
  try {
    servers.push(await open(served, { ...options, host: "::1", port: portOf(first) }));
  } catch (error) {
    // A machine without IPv6 has only the first.
    if (!["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes((error as NodeJS.ErrnoException).code ?? "")) {
      await stop(servers, Promise.resolve());
      throw error;
    }
  }
  return { port: portOf(first), stop: (over) => stop(servers, over) };
}

async function open(served: Served, { host, port, reusePort = false }: ListenOptions): Promise<Server> {
  const server = http.createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: checkIntervalMs,
      // A probe may send no `Host`. Every other request without one is refused with a message.
      requireHostHeader: false,
    },
    served.listener,
  );
  served.attach(server);
  server.listen({ host, port, reusePort });
  await once(server, "listening");
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function stop(servers: readonly Server[], over: Promise<unknown>): Promise<void> {
  await Promise.all(
    servers.map(async (server) => {
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      await over;
      // Node stops its timeouts once a server closes: one slow request could keep it open forever.
      server.closeAllConnections();
      await closed;
    }),
  );
}

/**
 * Stops a server and its port in order. If a balancer asks it (`lameDuckMs` above 0), the port stays open until the last socket is closed.
 * At a closed port, balancers cut the sockets of clients that stay to the end of their answers.
 */
export async function stopServing(
  troupe: Pick<Troupe, "leaveBalancer" | "close">,
  listening: Listening,
  lameDuckMs: number,
): Promise<void> {
  await troupe.leaveBalancer();
  if (lameDuckMs === 0) await listening.stop(troupe.close());
  else await troupe.close({ onDrained: () => listening.stop(Promise.resolve()) });
}
