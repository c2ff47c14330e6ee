import { closeTable, closeWords, normalClosure, retryAfterMsIn } from "../protocol/closes.ts";
import {
  type ConnectionEvent,
  type ConnectionLoss,
  type ConnectionState,
  transition,
} from "./connection-state.ts";
import { askWhyRefused, type Fetch, type Target, type Verdict } from "./handshake-refusal.ts";
import { TroupeRequestError } from "./request-error.ts";
import type { SetTimer, SocketConstructor, SocketEvent, SocketLike } from "./socket.ts";

/** Time between two checks of an open connection; also the max time of silence after a check, and the max time to open. */
const heartbeatMs = 20_000;
/** If a timer is this late, the cause is not a busy moment: the machine was asleep, or the tab frozen. */
const asleepMs = 1_000;

/** A value, or a function that returns it before every attempt. */
export type Changing<T> = T | (() => T | Promise<T>);

interface ConnectionOptions {
  readonly url: Changing<string>;
  readonly protocols: Changing<readonly string[]>;
  readonly fetch: Fetch | false;
  readonly WebSocket: SocketConstructor;
  readonly backoff: (attempt: number) => number;
  readonly setTimer: SetTimer;
  readonly now: () => number;
  /** Called once per open connection, before any message of it. */
  readonly onOpen: () => void;
  /** Called while the connection is open, to make the server answer. */
  readonly ping: () => void;
  readonly onText: (text: string) => void;
  /** Called when an open or opening connection is gone, before the state's listeners are called. */
  readonly onGone: () => void;
  readonly onState: () => void;
}

/** The code of a WebSocket that broke without a close. */
const lostCode = 1006;
const finalCodes: ReadonlySet<number> = new Set([
  normalClosure,
  ...Object.values(closeTable)
    .filter((row) => !row.reconnect)
    .map((row) => row.code),
]);

/** Keeps one connection at a time, and reconnects after every loss that is not final. Does not know any message. */
export class ClientConnection {
  readonly #options: ConnectionOptions;
  #state: ConnectionState = { name: "idle" };
  #socket: SocketLike | undefined;
  #stopTimer: () => void = () => undefined;
  #heard = false;
  /** Aborted when the current attempt has opened or failed. */
  #attempt = new AbortController();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects now, from `idle` or from a wait. */
  connect(): void {
    this.#dispatch({ type: "connect" });
  }

  /** Sends if the connection is open. Otherwise the caller must send the text again later. */
  send(text: string): void {
    if (this.#state.name === "open") this.#socket?.send(text);
  }

  /** Disconnects, or ends the attempts; `connect` starts again. */
  disconnect(): void {
    this.#dispatch({ type: "disconnect" });
  }

  close(): void {
    this.#dispatch({ type: "close", loss: { code: normalClosure, reason: "Closed by this side." } });
  }

  #dispatch(event: ConnectionEvent): void {
    const before = this.#state;
    this.#state = transition(before, event);
    if (this.#state === before) return;
    if (this.#state.name !== before.name) {
      this.#stopTimer();
      this.#attempt.abort();
      if (this.#state.name !== "connecting" && this.#state.name !== "open") this.#leaveSocket(before.name);
      this.#enter();
    }
    this.#options.onState();
  }

  #enter(): void {
    switch (this.#state.name) {
      case "connecting":
        this.#setHeartbeat(() => this.#giveUp("The server did not answer in time."));
        this.#attempt = new AbortController();
        this.#begin(this.#attempt.signal);
        break;
      case "open":
        this.#listenForLife(false);
        this.#options.onOpen();
        break;
      case "waiting":
        this.#stopTimer = this.#options.setTimer(
          () => this.#dispatch({ type: "connect" }),
          Math.max(0, this.#state.retryAtMs - this.#options.now()),
        );
        this.#options.onGone();
        break;
      case "idle":
      case "closed":
        this.#options.onGone();
    }
  }

  #begin(signal: AbortSignal): void {
    const { url, protocols } = this.#options;
    if (typeof url !== "function" && typeof protocols !== "function") {
      this.#open({ url, protocols, isFresh: false }, signal);
      return;
    }
    Promise.all([resolved(url), resolved(protocols)]).then(
      ([address, offered]) => {
        const isFresh = typeof url === "function";
        if (!signal.aborted) this.#open({ url: address, protocols: offered, isFresh }, signal);
      },
      (cause) => {
        if (!signal.aborted) this.#fail({ code: lostCode, reason: "" }, verdictOf(cause));
      },
    );
  }

  #open(target: Target, signal: AbortSignal): void {
    let opening: SocketLike;
    try {
      opening = new this.#options.WebSocket(target.url, [...target.protocols]);
    } catch (cause) {
      const reason = `Cannot connect to ${withoutQuery(target.url)}: ${wordsOf(cause)}`;
      this.#dispatch({ type: "refused", loss: { code: normalClosure, reason } });
      return;
    }
    this.#socket = opening;
    // An abandoned socket still reports its end, seconds later; only the current one counts.
    const whilePresent = (run: (event: SocketEvent) => void) => (event: SocketEvent) => {
      if (this.#socket === opening) run(event);
    };
    opening.addEventListener(
      "open",
      whilePresent(() => this.#dispatch({ type: "opened" })),
    );
    opening.addEventListener(
      "message",
      whilePresent((event) => {
        this.#heard = true;
        this.#dispatch({ type: "heard" });
        if (typeof event.data === "string") this.#options.onText(event.data);
      }),
    );
    opening.addEventListener(
      "close",
      whilePresent((event) => {
        const loss = { code: event.code ?? lostCode, reason: event.reason ?? "" };
        if (this.#state.name === "connecting" && !finalCodes.has(loss.code))
          void this.#explain(loss, target, signal);
        else this.#lose(loss);
      }),
    );
    // Without a listener the package `ws` would throw the error; a close event follows it.
    opening.addEventListener("error", () => undefined);
  }

  /** Ends an attempt that did not open, after asking the server why. */
  async #explain(loss: ConnectionLoss, target: Target, signal: AbortSignal): Promise<void> {
    this.#socket = undefined;
    const { fetch } = this.#options;
    if (fetch === false) return this.#lose(loss);
    const verdict = await askWhyRefused(target, fetch, signal);
    if (signal.aborted) return;
    if (verdict === undefined) this.#lose(loss);
    else this.#fail(loss, verdict);
  }

  #fail({ code }: ConnectionLoss, verdict: Verdict): void {
    if ("failure" in verdict) {
      const { failure: error } = verdict;
      this.#dispatch({ type: "refused", loss: { code, reason: error.message, error } });
    } else {
      const { reason, retryAfterMs } = verdict;
      this.#retry({ code, reason }, retryAfterMs);
    }
  }

  #retry(loss: ConnectionLoss, retryAfterMs: number | undefined): void {
    const failed = this.#state.name === "connecting" || this.#state.name === "open" ? this.#state.attempt : 0;
    const retryAtMs = this.#options.now() + (retryAfterMs ?? this.#options.backoff(failed + 1));
    this.#dispatch({ type: "lost", loss, retryAtMs });
  }

  #lose({ code, reason }: ConnectionLoss): void {
    const loss = { code, reason: closeWords(reason) };
    if (finalCodes.has(code)) this.#dispatch({ type: "refused", loss });
    // A stopping server gives each of its clients a different wait, so that they do not all return at the same moment.
    else this.#retry(loss, retryAfterMsIn(reason));
  }

  /** Any message of the server is a sign of life: after much text the `pong` itself may come late. */
  #listenForLife(asked: boolean): void {
    this.#heard = false;
    this.#setHeartbeat(() => {
      if (asked && !this.#heard) {
        this.#giveUp(closeTable.unresponsive.reason);
        return;
      }
      this.#listenForLife(true);
      this.#options.ping();
    });
  }

  /**
   * Calls `decide` after one heartbeat. If the timer was asleep, it waits another second, so that messages that came meanwhile are read
   * first.
   */
  #setHeartbeat(decide: () => void): void {
    const dueAtMs = this.#options.now() + heartbeatMs;
    this.#stopTimer = this.#options.setTimer(() => {
      if (this.#options.now() - dueAtMs < asleepMs) decide();
      else this.#stopTimer = this.#options.setTimer(decide, asleepMs);
    }, heartbeatMs);
  }

  #giveUp(reason: string): void {
    this.#lose({ code: closeTable.unresponsive.code, reason });
  }

  #leaveSocket(stage: ConnectionState["name"]): void {
    const left = this.#socket;
    this.#socket = undefined;
    // `close` takes only 1000 and 3000-4999; on a socket that is still connecting it takes no code.
    if (stage === "open") left?.close(normalClosure);
    else left?.close();
  }
}

export async function resolved<T extends string | readonly string[]>(given: Changing<T>): Promise<T> {
  return typeof given === "function" ? given() : given;
}

function verdictOf(cause: unknown): Verdict {
  if (!(cause instanceof TroupeRequestError))
    return { reason: `The address could not be obtained: ${wordsOf(cause)}`, retryAfterMs: undefined };
  const { code, message, retryable, retryAfterMs } = cause;
  return retryable ? { reason: message, retryAfterMs } : { failure: { code, message, retryable } };
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Removes a ticket, which must not reach logs. */
function withoutQuery(url: string): string {
  return url.split("?", 1)[0] ?? "";
}
