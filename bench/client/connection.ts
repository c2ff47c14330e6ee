import net from "node:net";
import { monotonicMs } from "../time-stamp.ts";
import type { Tally } from "./tally.ts";
import type { Target } from "./target.ts";

/** Reads the bytes of one connection as its wire defines them. */
export interface WireReader {
  /** Reads the bytes that have arrived and returns how many of them it used up. */
  read(data: Buffer, nowMs: number): number;
}

/** The calls that a wire makes on its connection. */
export interface WireContext {
  readonly target: Target;
  readonly tally: Tally;
  readonly write: (bytes: Buffer) => void;
  /** Called when the handshake is over. */
  readonly ready: () => void;
  readonly fail: (reason: string) => void;
}

/** A wire: the bytes to send on connecting and to ask for a stream, and its reader. */
export interface Wire {
  greet(context: WireContext): void;
  ask(context: WireContext): void;
  createReader(context: WireContext): WireReader;
}

export interface LoadConnection {
  /** Settles when a stream can be asked for; rejects if the target refuses. */
  readonly ready: Promise<void>;
  ask(): void;
  close(): void;
}

/** One raw connection that carries one stream. `onLost` is called if the connection ends unasked. */
export function openConnection(
  target: Target,
  { tally, wire, onLost }: { tally: Tally; wire: Wire; onLost: (reason: string) => void },
): LoadConnection {
  const socket = net.connect({ port: target.port, host: "127.0.0.1", noDelay: true });
  const ready = Promise.withResolvers<void>();
  let rest: Buffer | undefined;
  let askedAtMs: number | undefined;
  let isClosing = false;

  function fail(reason: string): void {
    ready.reject(new Error(reason));
    if (!isClosing) onLost(reason);
    isClosing = true;
    socket.destroy();
  }

  const context: WireContext = {
    target,
    tally,
    write: (bytes) => void socket.write(bytes),
    ready: ready.resolve,
    fail,
  };
  const reader = wire.createReader(context);
  socket.on("connect", () => wire.greet(context));
  socket.on("error", (error) => fail(error.message));
  socket.on("close", () => fail("closed by the target"));
  socket.on("data", (received) => {
    const nowMs = monotonicMs();
    const tokensBefore = tally.tokens;
    tally.countRead(received.length);
    const data = rest === undefined ? received : Buffer.concat([rest, received]);
    const used = reader.read(data, nowMs);
    rest = used === data.length ? undefined : data.subarray(used);
    if (askedAtMs === undefined || tally.tokens === tokensBefore) return;
    tally.countFirstChunk(nowMs - askedAtMs);
    askedAtMs = undefined;
  });

  return {
    ready: ready.promise,
    ask() {
      askedAtMs = monotonicMs();
      wire.ask(context);
    },
    close() {
      isClosing = true;
      socket.destroy();
    },
  };
}
