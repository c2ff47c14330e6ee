import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";

/** A client's frame as the double reads it, unchecked. */
export interface ClientFrame {
  readonly type: string;
  readonly id?: string;
  readonly data?: Record<string, unknown>;
}

export interface ScriptedConnection {
  /** Index among all connections, from 0. */
  readonly index: number;
  send(...messages: readonly ServerMessage[]): void;
  /** Cuts the connection without a close frame, so the client sees 1006. */
  drop(): void;
  close(code: number): void;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  /** Every frame received, over all connections. */
  readonly frames: readonly ClientFrame[];
  /** The newest connection. */
  readonly connection: ScriptedConnection;
}

/** Answers every frame by calling `answer`, on a free port of the loopback address. */
export async function startScriptedServer(
  answer: (frame: ClientFrame, connection: ScriptedConnection) => void,
): Promise<ScriptedServer> {
  const frames: ClientFrame[] = [];
  const connections: ScriptedConnection[] = [];
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", (socket) => {
    const connection = scriptedConnection(socket, connections.length);
    connections.push(connection);
    socket.on("message", (bytes) => {
      const frame = JSON.parse(bytes.toString()) as ClientFrame;
      frames.push(frame);
      answer(frame, connection);
    });
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    url: `ws://127.0.0.1:${port}/ws`,
    frames,
    get connection() {
      const newest = connections.at(-1);
      if (newest === undefined) throw new Error("No client has connected yet.");
      return newest;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, "close");
    },
  };
}

function scriptedConnection(socket: WebSocket, index: number): ScriptedConnection {
  return {
    index,
    send(...messages) {
      for (const message of messages) socket.send(JSON.stringify(message));
    },
    drop: () => socket.terminate(),
    close: (code) => socket.close(code),
  };
}
