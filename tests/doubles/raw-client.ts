import { connect, type Socket } from "node:net";
import type { Bytes } from "./script.ts";

/** A bare TCP client that sees each packet as it arrives. */
export interface RawClient extends Disposable {
  readonly socket: Socket;
  /** Sends bytes and settles when the kernel has them. */
  send(bytes: Bytes): Promise<void>;
  /** The next packet; `undefined` when the other side has sent FIN. Rejects if the connection broke. */
  next(): Promise<Buffer | undefined>;
  /** Everything up to FIN, as text. */
  rest(): Promise<string>;
  /** Number of packets that arrived and have not been read yet. */
  unread(): number;
}

/** Connects to the host and port of a base URL. Disposing closes the socket. */
export async function createRawClient(baseUrl: string): Promise<RawClient> {
  const { hostname, port } = new URL(baseUrl);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const packets: Buffer[] = [];
  let ended = false;
  let failure: Error | undefined;
  let wake = (): void => undefined;
  socket.on("data", (packet) => {
    packets.push(packet);
    wake();
  });
  socket.on("error", (error) => {
    failure = error;
    wake();
  });
  socket.on("end", () => {
    ended = true;
    wake();
  });

  const next = async (): Promise<Buffer | undefined> => {
    for (;;) {
      const packet = packets.shift();
      if (packet !== undefined) return packet;
      if (failure !== undefined) throw failure;
      if (ended) return undefined;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };

  return {
    socket,
    send: (bytes) =>
      new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve()))),
    next,
    async rest() {
      const parts: Buffer[] = [];
      for (let packet = await next(); packet !== undefined; packet = await next()) parts.push(packet);
      return Buffer.concat(parts).toString("utf8");
    },
    unread: () => packets.length,
    [Symbol.dispose]: () => socket.destroy(),
  };
}

/** A call as text: `POST /v1/responses` with a JSON body, or another method and path without one. */
export function callText(body: object | undefined, target = "POST /v1/responses"): string {
  const text = body === undefined ? "" : JSON.stringify(body);
  const lines = [
    `${target} HTTP/1.1`,
    "Host: localhost",
    "Authorization: Bearer key-of-a-test",
    "X-Twice: one",
    "X-Twice: two",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(text)}`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n${text}`;
}
