import { once } from "node:events";
import http, { type ClientRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { createTroupe } from "../../src/compose/create-troupe.ts";

/** One HTTP request; its address and headers are sent unchanged. */
export interface CostlyCall {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The request asks for a WebSocket. */
  readonly upgrade?: true;
}

interface CostlyReply {
  readonly status: number;
  readonly text: string;
  /** Processor time of this thread from the request to the reply, for client and server together. */
  readonly microseconds: number;
}

/** Maximum length of a head. A program that embeds Troupe may allow more than Node's 16 KiB. */
const maxHeaderSize = 4_000_000;
const keys = { caller: "caller-0123456789abcdef", administrator: "admin-0123456789abcdef" };
const handshake = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** Troupe inside an application's HTTP server that allows long heads. */
export async function startCostlyServer() {
  const faults: unknown[] = [];
  const note = (fault: unknown) => {
    faults.push(fault);
  };
  const nothing = () => undefined;
  const troupe = await createTroupe({
    localProviders: [],
    store: "memory",
    apiKeys: [{ owner: "ada", key: keys.caller }],
    adminKey: keys.administrator,
    logger: { debug: nothing, info: nothing, warn: nothing, error: note },
  });
  // On a slow machine a connection may rest for longer than Node's limit, which would close it under the next call.
  const server = http.createServer({ maxHeaderSize, keepAliveTimeout: 0 }, troupe.listener);
  troupe.attach(server);
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const agent = new http.Agent({ keepAlive: true });

  return {
    faults,
    async call({ method, path, headers = {}, body, upgrade }: CostlyCall): Promise<CostlyReply> {
      const key = path.startsWith("/api/keys") ? keys.administrator : keys.caller;
      const before = process.threadCpuUsage();
      const request = http.request({
        host: "127.0.0.1",
        port,
        method,
        path,
        agent: upgrade === true ? false : agent,
        headers: { authorization: `Bearer ${key}`, ...(upgrade === true ? handshake : {}), ...headers },
      });
      request.end(body);
      const { status, content } = await replyTo(request);
      const { user, system } = process.threadCpuUsage(before);
      return { status, text: content, microseconds: user + system };
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      const closed = once(server, "close");
      server.close();
      await troupe.close({ drainMs: 0 });
      server.closeAllConnections();
      await closed;
    },
  };
}

function replyTo(request: ClientRequest): Promise<{ readonly status: number; readonly content: string }> {
  return new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("upgrade", (_, socket) => {
      socket.destroy();
      resolve({ status: 101, content: "" });
    });
    request.once("response", (response: IncomingMessage) => {
      // The rest of a refused body fails later, after its reply has arrived.
      request.on("error", () => undefined);
      text(response).then((content) => resolve({ status: response.statusCode ?? 0, content }), reject);
    });
  });
}
