import { once } from "node:events";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { text } from "node:stream/consumers";
import { WebSocket } from "ws";
import type { Fetch, SocketConstructor } from "../../../src/client/index.ts";
import { type NginxProxy, proxyName } from "./nginx.ts";

/** A visitor with an address of its own, as the proxy sees it. */
export interface Visitor {
  readonly socketUrl: string;
  readonly fetch: Fetch;
  readonly WebSocket: SocketConstructor;
  /** The status and the body of a request under the proxy's folder. */
  call(
    path: string,
    headers?: Record<string, string>,
    method?: string,
  ): Promise<{ status: number; body: string }>;
  /** Opens a socket and returns the status of its handshake. */
  handshake(headers?: Record<string, string>): Promise<number>;
  /** Cuts the newest socket. */
  cut(): void;
  leave(): void;
}

/** A visitor from an address of this machine; `always` are headers sent with everything, such as a forged one. */
export function createVisitor(
  { port, ca }: NginxProxy,
  localAddress: string,
  always: Record<string, string> = {},
): Visitor {
  // Resolves the name without a DNS server.
  const lookup: LookupFunction = (_name, options, done) =>
    options.all === true ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);
  const way = { ca, lookup, localAddress };
  const opened: WebSocket[] = [];
  class VisitorSocket extends WebSocket {
    constructor(url: string, protocols: string[] = [], headers: Record<string, string> = {}) {
      super(url, protocols, { ...way, headers: { ...headers, ...always } });
      opened.push(this);
    }
  }

  async function send(url: string, method: string, headers: Record<string, string>) {
    const sent = httpsRequest(url, { ...way, method, headers: { ...headers, ...always }, agent: false });
    sent.end();
    const [response] = await once(sent, "response");
    return { status: Number(response.statusCode), headers: response.headers, body: await text(response) };
  }

  const folder = `https://${proxyName}:${port}/troupe`;
  const socketUrl = `wss://${proxyName}:${port}/troupe/ws`;
  return {
    socketUrl,
    WebSocket: VisitorSocket as SocketConstructor,
    async fetch(url, { method, headers }) {
      const answer = await send(url, method, headers);
      return new Response(answer.body, { status: answer.status, headers: answer.headers });
    },
    call: (path, headers = {}, method = "GET") => send(`${folder}${path}`, method, headers),
    async handshake(headers = {}) {
      const socket = new VisitorSocket(socketUrl, [], headers);
      // The package also reports a refusal as an error.
      socket.on("error", () => undefined);
      const status = await new Promise<number>((resolve) => {
        socket.on("open", () => resolve(101));
        socket.on("unexpected-response", (_request, response) => {
          resolve(Number(response.statusCode));
          socket.terminate();
        });
      });
      return status;
    },
    cut: () => opened.at(-1)?.terminate(),
    leave() {
      for (const socket of opened) socket.terminate();
    },
  };
}
