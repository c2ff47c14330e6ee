import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import type { Caller } from "../../ports/caller.ts";
import type { Clock } from "../../ports/clock.ts";
import { type ConnectionFacts, faultsOf, type Observer } from "../../ports/observer.ts";
import type { Socket } from "../../ports/socket.ts";
import { type CloseName, closeNameOf, closeTable } from "../../protocol/closes.ts";
import { wireLimits } from "../../protocol/limits.ts";
import {
  FrameBoundaries,
  type FrameHandler,
  FrameQueue,
  type FrameSource,
  RateLimit,
} from "./incoming-frames.ts";
import { WsSocket } from "./ws-socket.ts";

/** Options that all connections of a server share. */
export interface WsConnectionOptions {
  readonly clock: Clock;
  readonly connect: (socket: Socket, caller: Caller) => FrameHandler;
  /** Whether the key that opened a socket is still valid; called before every frame. */
  readonly isAdmitted: (caller: Caller) => boolean;
  /** Whether this server may answer no client now; called before every frame and every delivery. It closes the sockets first if so. */
  readonly isCutOff?: (() => boolean) | undefined;
  /** Is told connections that open and close, and broken frames and connections. */
  readonly observer: Observer;
  /** Called when a connection is gone. */
  readonly onGone: (connection: WsConnection) => void;
}

/** A socket that knows its connection, so that the listeners of all sockets are the same few functions. */
export class OpenSocket extends WebSocket {
  connection: WsConnection | undefined;

  /** `ws` closes after a broken frame with only a code; this adds the reason for people. */
  override close(code?: number, reason?: string | Buffer): void {
    const name = code === undefined || reason !== undefined ? undefined : closeNameOf(code);
    if (name !== undefined) this.connection?.noteClose(name);
    super.close(code, reason ?? (name === undefined ? undefined : closeTable[name].reason));
  }
}

/** Time for a peer that is dropped to answer the close. */
const closePatienceMs = 1_000;
/** The code with which `ws` reports a connection that ended without a close frame. */
const noCloseFrame = 1006;
const messageRate = { perSecond: wireLimits.messagesPerSecond, burst: wireLimits.messagesAtOnce };
const controlRate = { perSecond: wireLimits.controlFramesPerSecond, burst: wireLimits.controlFramesAtOnce };

/**
 * One open WebSocket: handles its frames in order, its pings and its end. Most sockets may be idle, so the objects for reading a peer are
 * made only after it has sent something.
 */
export class WsConnection implements FrameSource {
  readonly caller: Caller;
  readonly #options: WsConnectionOptions;
  readonly #socket: OpenSocket;
  readonly #stream: Duplex;
  readonly #port: WsSocket;
  readonly #handler: FrameHandler;
  #frames: FrameQueue | undefined;
  #messages: RateLimit | undefined;
  #controlFrames: RateLimit | undefined;
  #boundaries: FrameBoundaries | undefined;
  #endWaiting: (() => void) | undefined;
  #isPaused = false;
  #missedPings = 0;
  #isPingTaken = true;
  #pongUnderWay = false;
  #nextPong: Buffer | undefined;
  #isGone = false;
  #gone: PromiseWithResolvers<void> | undefined;
  #endPatience: (() => void) | undefined;
  #told: { readonly facts: ConnectionFacts; readonly openedAtMs: number } | undefined;
  /** The close that this server started. */
  #closeName: CloseName | undefined;

  /** `stream` is the stream that the socket writes to. */
  constructor(socket: OpenSocket, stream: Duplex, caller: Caller, options: WsConnectionOptions) {
    this.caller = caller;
    this.#options = options;
    this.#socket = socket;
    this.#stream = stream;
    this.#port = new WsSocket(socket, stream, options.isCutOff);
    this.#handler = options.connect(this.#port, caller);
    socket.connection = this;
    socket.on("message", onMessage).on("ping", onPing).on("pong", onPong);
    socket.on("error", onError).on("close", onClose);
    connectionOfStream.set(stream, this);
    stream.on("data", onBytes);
    this.#tellOpened(options);
  }

  /** Settles when the connection is gone. */
  get closed(): Promise<void> {
    this.#gone ??= Promise.withResolvers();
    if (this.#isGone) this.#gone.resolve();
    return this.#gone.promise;
  }

  /** Pings the peer, and drops it after two pings without an answer. */
  beat(): void {
    if (this.#missedPings < 2) {
      this.#missedPings += 1;
      this.#isPingTaken = false;
      this.#socket.ping(undefined, false, () => {
        this.#isPingTaken = true;
      });
      return;
    }
    // A peer that left bytes unread is too slow; any other peer is gone. Either may reconnect.
    this.close(this.#stream.writableLength > 0 ? "slow_reader" : "unresponsive");
  }

  /** Settles when every received frame was handled, and then as `FrameHandler.settle`. */
  async settle(over: Promise<unknown>): Promise<void> {
    await this.#frames?.idle();
    await this.#handler.settle(over);
  }

  /** Whether the client can go on with everything at another server; settles when every received frame was handled. */
  async canMove(): Promise<boolean> {
    await this.#frames?.idle();
    return this.#handler.canMove;
  }

  /** Closes the socket, and drops it if the peer does not answer. */
  close(name: CloseName, retryAfterMs?: number): void {
    this.noteClose(name);
    this.#port.close(name, retryAfterMs);
    if (!this.#isGone)
      this.#endPatience ??= this.#options.clock.callAfter(closePatienceMs, () => this.terminate());
  }

  /** Notes the close that this server is about to start, unless one has started before. */
  noteClose(name: CloseName): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#closeName ??= name;
  }

  /** Closes the socket because its credential is no longer valid, or as `name` says. From now on it is sent no more events. */
  revoke(name: CloseName = "key_revoked", retryAfterMs?: number): void {
    this.#leave();
    this.close(name, retryAfterMs);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Not an async function: that would hold the frame until it is answered. */
  handle(frame: string | Uint8Array): Promise<void> {
    return this.#options.isAdmitted(this.caller) ? this.#handler.receive(frame) : Promise.resolve();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
    // While reading was paused, the peer could not end its message.
    if (this.#endWaiting !== undefined) this.#waitForEnd();
  }

  onFault(fault: unknown): void {
    this.#options.observer.faulted?.({ where: "connection", error: fault });
  }

  /** Limits the time of a message: an unfinished one holds memory, even if its sender answers pings. */
  onBytes(bytes: Buffer): void {
    this.#boundaries ??= new FrameBoundaries();
    const { ended } = this.#boundaries;
    this.#boundaries.read(bytes);
    if (this.#boundaries.isBetween) this.#stopWaiting();
    else if (this.#endWaiting === undefined || this.#boundaries.ended > ended) this.#waitForEnd();
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    this.#messages ??= new RateLimit(messageRate, this.#options.clock);
    if (this.#messages.letIn()) {
      this.#frames ??= new FrameQueue(this);
      this.#frames.push(data, isBinary);
    } else this.#refuse();
  }

  onPing(data: Buffer): void {
    if (this.#mayControl()) this.#answerPing(data);
    else this.#refuse();
  }

  onPong(): void {
    // A peer that reads nothing may still send unsolicited pongs.
    if (this.#isPingTaken) this.#missedPings = 0;
    if (!this.#mayControl()) this.#refuse();
  }

  onClose(code: number): void {
    this.#isGone = true;
    this.#stopWaiting();
    this.#endPatience?.();
    this.#leave();
    this.#gone?.resolve();
    this.#options.onGone(this);
    this.#tellClosed(code);
  }

  #tellOpened({ observer, clock }: WsConnectionOptions): void {
    if (observer.connectionOpened === undefined && observer.connectionClosed === undefined) return;
    this.#told = { facts: { door: "websocket" }, openedAtMs: clock.now() };
    observer.connectionOpened?.(this.#told.facts);
  }

  #tellClosed(code: number): void {
    if (this.#told === undefined) return;
    const { observer, clock } = this.#options;
    observer.connectionClosed?.(this.#told.facts, {
      reason: this.#closeName ?? (code === noCloseFrame ? "lost" : "client"),
      durationMs: clock.now() - this.#told.openedAtMs,
    });
  }

  #waitForEnd(): void {
    this.#endWaiting?.();
    this.#endWaiting = this.#options.clock.callAfter(wireLimits.messageMs, () => {
      // While reading is paused, the message cannot end.
      if (!this.#isPaused) this.#refuse();
    });
  }

  #stopWaiting(): void {
    this.#endWaiting?.();
    this.#endWaiting = undefined;
  }

  #leave(): void {
    this.#handler.close().catch(faultsOf(this.#options.observer, "connection"));
  }

  #mayControl(): boolean {
    this.#controlFrames ??= new RateLimit(controlRate, this.#options.clock);
    return this.#controlFrames.letIn();
  }

  /** Answers only the latest ping (RFC 6455, 5.5.3), so that pongs do not pile up for a peer that pings and does not read. */
  #answerPing(data: Buffer): void {
    if (this.#pongUnderWay) {
      this.#nextPong = data;
      return;
    }
    this.#pongUnderWay = true;
    this.#socket.pong(data, false, () => {
      this.#pongUnderWay = false;
      const next = this.#nextPong;
      this.#nextPong = undefined;
      if (next !== undefined && !this.#isGone) this.#answerPing(next);
    });
  }

  #refuse(): void {
    this.#stopWaiting();
    this.#stream.off("data", onBytes);
    this.#frames?.stop();
    this.#socket.off("message", onMessage).off("ping", onPing).off("pong", onPong);
    this.close("policy");
  }
}

const connectionOfStream = new WeakMap<Duplex, WsConnection>();

function onBytes(this: Duplex, bytes: Buffer): void {
  connectionOfStream.get(this)?.onBytes(bytes);
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  // `ws` can give several forms; this is the one that it is configured for.
  connectionOf(this)?.onMessage(data as Buffer, isBinary);
}

function onPing(this: WebSocket, data: Buffer): void {
  connectionOf(this)?.onPing(data);
}

function onPong(this: WebSocket): void {
  connectionOf(this)?.onPong();
}

function onError(this: WebSocket, fault: Error): void {
  connectionOf(this)?.onFault(fault);
}

function onClose(this: WebSocket, code: number): void {
  connectionOf(this)?.onClose(code);
}

function connectionOf(socket: WebSocket): WsConnection | undefined {
  return (socket as OpenSocket).connection;
}
