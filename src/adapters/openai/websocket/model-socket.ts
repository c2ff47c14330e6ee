import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { HeldSocket } from "../../upstream/fast/held-socket.ts";
import {
  NoConnectionError,
  NotAnAnswerError,
  readRefusal,
  type UpstreamAgents,
  type UpstreamAnswer,
} from "../../upstream/upstream-call.ts";

/** Max bytes of one frame in either direction; the reader of events has the same limit. */
export const maxFrameBytes = 16 * 1024 * 1024;
/** Max bytes of frames that come while a call is about to listen. */
const maxEarlyBytes = 65_536;
/** Max wait for the other side to close the connection after its own close frame. */
const maxCloseMs = 1_000;

/** Gets the frames of one call. */
export interface FrameSink {
  onFrame(data: Buffer): void;
  /** The socket is closed, and nothing more comes. */
  onClosed(error: Error): void;
}

/** Headers of a call that mean nothing on an upgrade, because its body travels in a frame. */
const ofBody: ReadonlySet<string> = new Set(["accept", "content-length", "content-type"]);

export interface DialOptions {
  /** An address of `http:` or `https:`. */
  readonly url: URL;
  /** The headers of the call over HTTP. */
  readonly headers: Readonly<Record<string, string>>;
  readonly agents: UpstreamAgents;
  readonly nowMs: number;
}

/**
 * One WebSocket to a vendor, which serves one call at a time. Redirects are not followed, and nothing is compressed: the deltas of a text
 * are too small to shrink.
 */
export class ModelSocket {
  /** Settles when the socket is open, with `undefined`; or with the answer that refuses the upgrade. Rejects if there is no answer. */
  readonly opened: Promise<UpstreamAnswer | undefined>;
  readonly closed: Promise<void>;
  readonly openedAtMs: number;
  readonly #socket: WebSocket;
  #connection: Socket | undefined;
  #held: HeldSocket | undefined;
  #isConnected = false;
  /** The answer to the upgrade was another one; its connection may serve another call by now. */
  #isRefused = false;
  #sink: FrameSink | undefined;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #fault: Error | undefined;
  /** Why the socket is closed; absent while it is not. */
  #end: Error | undefined;

  constructor({ url, headers, agents, nowMs }: DialOptions) {
    const opened = Promise.withResolvers<UpstreamAnswer | undefined>();
    const closed = Promise.withResolvers<void>();
    this.opened = opened.promise;
    this.closed = closed.promise;
    this.openedAtMs = nowMs;
    this.#socket = new WebSocket(url, {
      agent: agents.agentFor(url),
      headers: Object.fromEntries(
        Object.entries(headers).filter(([name]) => !ofBody.has(name.toLowerCase())),
      ),
      maxPayload: maxFrameBytes,
      perMessageDeflate: false,
      followRedirects: false,
      // The package's types lack it.
      ...{ closeTimeout: maxCloseMs },
      // The decoder of the events replaces broken characters, as it does for an answer over HTTP.
      skipUTF8Validation: true,
      finishRequest: (request) => {
        request.once("socket", (socket) => {
          this.#connection = socket;
          this.#isConnected = request.reusedSocket;
          socket.once(url.protocol === "https:" ? "secureConnect" : "connect", () => {
            this.#isConnected = true;
          });
        });
        request.end();
      },
    });
    this.#socket.on("open", () => {
      if (this.#connection !== undefined) this.#held = agents.fastReads.hold(this.#connection);
      opened.resolve(undefined);
    });
    this.#socket.on("unexpected-response", (_request, message: IncomingMessage) => {
      const refusal = readRefusal(message).finally(() => {
        this.#isRefused = true;
        closed.resolve();
      });
      refusal.then(opened.resolve, opened.reject);
    });
    this.#socket.on("message", (data: Buffer, isBinary) => this.#take(data, isBinary));
    this.#socket.on("error", (error) => {
      this.#fault ??= error;
      opened.reject(this.#openFault(error));
      // Otherwise `ws` waits for the other side to close.
      this.terminate();
    });
    this.#socket.on("close", (code) => {
      const error = this.#fault ?? new ClosedSocketError(code);
      this.#end = error;
      opened.reject(error);
      closed.resolve();
      this.#sink?.onClosed(error);
    });
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Sends one frame. A fault of sending closes the socket. */
  send(text: string): void {
    this.#socket.send(text);
  }

  /** Gives the frames and the end to a call, or leaves them for the next call that listens. */
  listen(sink: FrameSink | undefined): void {
    this.#sink = sink;
    if (sink === undefined) return;
    const early = this.#early;
    this.#early = [];
    this.#earlyBytes = 0;
    for (const data of early) sink.onFrame(data);
    if (this.#end !== undefined) sink.onClosed(this.#end);
  }

  /** Leaves coming bytes with the system. Frames that were read already still come. */
  hold(): void {
    if (this.#held === undefined) this.#socket.pause();
    else this.#held.hold();
  }

  letGo(): void {
    if (this.#held === undefined) this.#socket.resume();
    else this.#held.letGo();
  }

  /** Whether the socket keeps the process running. */
  keepRunning(mustRun: boolean): void {
    if (mustRun) this.#connection?.ref();
    else this.#connection?.unref();
  }

  /** Closes the connection at once, because the API has no other way to stop an answer. */
  terminate(): void {
    if (!this.#isRefused) this.#socket.terminate();
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (isBinary) this.#fault ??= new Error("A frame of the socket is not text.");
    if (isBinary) this.terminate();
    else if (this.#sink !== undefined) this.#sink.onFrame(data);
    else this.#keep(data);
  }

  #keep(data: Buffer): void {
    this.#early.push(data);
    this.#earlyBytes += data.length;
    if (this.#earlyBytes > maxEarlyBytes) this.terminate();
  }

  #openFault(error: Error): Error {
    if (!this.#isConnected) return new NoConnectionError("No connection came about.", { cause: error });
    // Faults of the network have a code, and faults of the handshake have none.
    return "code" in error ? error : new NotAnAnswerError(error.message);
  }
}

/** The other side closed the socket. Its words are left out: they may quote the request. */
export class ClosedSocketError extends Error {
  override readonly name = "ClosedSocketError";
  readonly code = "ECONNRESET";
  readonly closeCode: number;

  constructor(closeCode: number) {
    super(`The socket was closed with code ${closeCode}.`);
    this.closeCode = closeCode;
  }
}
