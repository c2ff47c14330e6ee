import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Clock } from "../../ports/clock.ts";
import type { Socket } from "../../ports/socket.ts";
import type { CloseName } from "../../protocol/closes.ts";
import { wireLimits } from "../../protocol/limits.ts";
import { createFrameQueue } from "./frame-queue.ts";
import { createRateLimit } from "./rate-limit.ts";
import { WsSocket } from "./ws-socket.ts";

/** What handles one connection's frames. */
export interface FrameHandler {
  /** Settles when the next frame may be handled. */
  receive(frame: string | Uint8Array): Promise<void>;
  /** Settles when what is under way was delivered; what has no end when `over` settles is not waited for. */
  settle(over: Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

export interface WsConnectionOptions {
  readonly socket: WebSocket;
  /** What the socket writes to. */
  readonly stream: Duplex;
  readonly clock: Clock;
  readonly connect: (socket: Socket) => FrameHandler;
  /** Whether the key is still good with which the socket was opened; asked before every frame. */
  readonly isAdmitted: () => boolean;
  /** Hears of broken frames and connections. */
  readonly onFault: (fault: unknown) => void;
}

/** One open WebSocket: its frames in order, its pings, and what ends it. */
export interface WsConnection {
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>;
  /** Asks the peer whether it lives; one that has not answered twice is dropped. */
  beat(): void;
  /**
   * Settles when every frame that came was handled and everything followed was delivered to its end; what has none when `over`
   * settles is not waited for.
   */
  settle(over: Promise<unknown>): Promise<void>;
  /** Closes and, where the peer does not answer, drops it. */
  close(name: CloseName, retryAfterMs?: number): void;
  /** Its key is of no use any more: nothing is told to it from now on, and it is closed. */
  revoke(): void;
  terminate(): void;
}

/** How long a peer that is dropped gets to answer the close. */
const closePatienceMs = 1_000;

export function createWsConnection(options: WsConnectionOptions): WsConnection {
  const { socket, stream, clock, connect, isAdmitted, onFault } = options;
  const port = new WsSocket(socket, stream);
  const handler = connect(port);
  const gone = new AbortController();
  const queue = createFrameQueue({
    handle: async (frame) => {
      if (isAdmitted()) await handler.receive(frame);
    },
    onFault,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  });
  const mayMessage = createRateLimit(
    { perSecond: wireLimits.messagesPerSecond, burst: wireLimits.messagesAtOnce },
    clock,
  );
  const mayControl = createRateLimit(
    { perSecond: wireLimits.controlFramesPerSecond, burst: wireLimits.controlFramesAtOnce },
    clock,
  );
  let missedPings = 0;
  let pongUnderWay = false;
  let nextPong: Buffer | undefined;

  /** A pong answers the latest ping (RFC 6455, 5.5.3): for a peer that pings and does not read, one waits and not all. */
  function answerPing(data: Buffer): void {
    if (pongUnderWay) {
      nextPong = data;
      return;
    }
    pongUnderWay = true;
    socket.pong(data, false, () => {
      pongUnderWay = false;
      const next = nextPong;
      nextPong = undefined;
      if (next !== undefined && !gone.signal.aborted) answerPing(next);
    });
  }

  function close(name: CloseName, retryAfterMs?: number): void {
    port.close(name, retryAfterMs);
    void clock.sleep(closePatienceMs, gone.signal).then(() => socket.terminate());
  }

  function refuseFlood(): void {
    queue.stop();
    socket.off("message", onMessage).off("ping", onPing).off("pong", onPong);
    close("policy");
  }

  function onMessage(data: Buffer, isBinary: boolean): void {
    if (mayMessage()) queue.push(data, isBinary);
    else refuseFlood();
  }

  function onPing(data: Buffer): void {
    if (mayControl()) answerPing(data);
    else refuseFlood();
  }

  function onPong(): void {
    missedPings = 0;
    if (!mayControl()) refuseFlood();
  }

  socket.on("message", onMessage).on("ping", onPing).on("pong", onPong);
  socket.on("error", onFault);
  const closed = new Promise<void>((resolve) => {
    socket.on("close", () => {
      gone.abort();
      handler.close().catch(onFault);
      resolve();
    });
  });

  return {
    closed,
    beat() {
      if (missedPings < 2) {
        missedPings += 1;
        socket.ping();
        return;
      }
      // One that left bytes unread is too slow, any other is gone. Either may come back.
      close(stream.writableLength > 0 ? "slow_reader" : "unresponsive");
    },
    async settle(over) {
      await queue.idle();
      await handler.settle(over);
    },
    close,
    revoke() {
      handler.close().catch(onFault);
      close("key_revoked");
    },
    terminate: () => socket.terminate(),
  };
}
