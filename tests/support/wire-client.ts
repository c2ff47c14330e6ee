import { once } from "node:events";
import { type ClientOptions, WebSocket } from "ws";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";

/** A client that knows nothing but frames, so that the server's tests do not depend on our own SDK. */
export interface WireClient {
  /** All received messages, in order. */
  readonly received: readonly ServerMessage[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  send(message: unknown): void;
  sendText(text: string): void;
  sendBinary(bytes: Uint8Array): void;
  /**
   * The first matching message from `from` on (default: the first not yet waited for). Rejects if the connection closes
   * before it arrives.
   */
  next(fits?: (message: ServerMessage) => boolean): Promise<ServerMessage>;
  /** All messages of a request up to its terminal one; `requestId` may be left out if only one runs. */
  untilTerminal(requestId?: string): Promise<ServerMessage[]>;
  /** Stops reading from the connection, and `resume` starts again. */
  pause(): void;
  resume(): void;
  close(): void;
  /** Cuts the connection without a close. */
  terminate(): void;
}

/**
 * Whether it is a request's last message on this connection: its numbered end, or the news that its end could not be
 * stored.
 */
export function isTerminal(message: ServerMessage): boolean {
  return (
    message.type === "response" ||
    (message.type === "error" && (message.seq !== undefined || isUnkept(message)))
  );
}

/** Whether it says that the end of a request could not be stored; it has no number. */
export function isUnkept(message: ServerMessage): boolean {
  return (
    message.type === "error" &&
    message.request_id !== undefined &&
    message.seq === undefined &&
    message.in_reply_to === undefined
  );
}

/** The text of one lane, or of the only one, joined from its chunks. */
export function textOf(messages: readonly ServerMessage[], personaId?: string): string {
  return messages
    .filter((message) => message.type === "chunk")
    .filter((message) => personaId === undefined || message.persona_id === personaId)
    .map((message) => message.chunk)
    .join("");
}

export async function connect(
  url: string,
  { protocols = [], ...options }: ClientOptions & { protocols?: string[] } = {},
): Promise<WireClient> {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
  const received: ServerMessage[] = [];
  const waiting = new Set<() => void>();
  let isClosed = false;
  let cursor = 0;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => {
      isClosed = true;
      resolve({ code, reason: reason.toString() });
      for (const wake of waiting) wake();
    });
  });
  socket.on("message", (data) => {
    received.push(JSON.parse(data.toString()));
    for (const wake of waiting) wake();
  });
  await once(socket, "open");
  // Errors after this point end in `close`, which the tests look at.
  socket.on("error", () => undefined);

  async function until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (isClosed) throw new Error(`The connection closed after ${JSON.stringify(received.at(-1))}`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
      });
    }
  }

  return {
    received,
    closed,
    send: (message) => socket.send(JSON.stringify(message)),
    sendText: (text) => socket.send(text),
    sendBinary: (bytes) => socket.send(bytes, { binary: true }),
    next: (fits = () => true) =>
      until(() => {
        while (cursor < received.length) {
          const message = received[cursor];
          cursor += 1;
          if (message !== undefined && fits(message)) return message;
        }
        return undefined;
      }),
    async untilTerminal(requestId) {
      let from = cursor;
      const of = (message: ServerMessage) =>
        "request_id" in message && (requestId === undefined || message.request_id === requestId);
      if (requestId !== undefined) from = 0;
      const end = await until(() => {
        const index = received.findIndex(
          (message, place) => place >= from && of(message) && isTerminal(message),
        );
        return index < 0 ? undefined : index;
      });
      if (requestId === undefined) cursor = end + 1;
      return received.slice(from, end + 1).filter(of);
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.close(),
    terminate: () => socket.terminate(),
  };
}
