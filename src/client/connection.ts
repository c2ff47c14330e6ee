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

interface Connection {
  readonly state: ConnectionState;
  /** Connects now, from `idle` or from a wait. */
  connect(): void;
  /** Sends if the connection is open. Otherwise the caller must send the text again later. */
  send(text: string): void;
  /** Disconnects, or ends the attempts; `connect` starts again. */
  disconnect(): void;
  close(): void;
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
export function createConnection(options: ConnectionOptions): Connection {
  let state: ConnectionState = { name: "idle" };
  let socket: SocketLike | undefined;
  let stopTimer: () => void = () => undefined;
  let heard = false;
  /** Aborted when the current attempt has opened or failed. */
  let attempt = new AbortController();

  function dispatch(event: ConnectionEvent): void {
    const before = state;
    state = transition(before, event);
    if (state === before) return;
    if (state.name !== before.name) {
      stopTimer();
      attempt.abort();
      if (state.name !== "connecting" && state.name !== "open") leaveSocket(before.name);
      enter();
    }
    options.onState();
  }

  function enter(): void {
    switch (state.name) {
      case "connecting":
        setHeartbeat(() => giveUp("The server did not answer in time."));
        attempt = new AbortController();
        begin(attempt.signal);
        break;
      case "open":
        listenForLife(false);
        options.onOpen();
        break;
      case "waiting":
        stopTimer = options.setTimer(
          () => dispatch({ type: "connect" }),
          Math.max(0, state.retryAtMs - options.now()),
        );
        options.onGone();
        break;
      case "idle":
      case "closed":
        options.onGone();
    }
  }

  function begin(signal: AbortSignal): void {
    const { url, protocols } = options;
    if (typeof url !== "function" && typeof protocols !== "function") {
      open({ url, protocols, isFresh: false }, signal);
      return;
    }
    Promise.all([resolved(url), resolved(protocols)]).then(
      ([address, offered]) => {
        const isFresh = typeof url === "function";
        if (!signal.aborted) open({ url: address, protocols: offered, isFresh }, signal);
      },
      (cause) => {
        if (!signal.aborted) fail({ code: lostCode, reason: "" }, verdictOf(cause));
      },
    );
  }

  function open(target: Target, signal: AbortSignal): void {
    let opening: SocketLike;
    try {
      opening = new options.WebSocket(target.url, [...target.protocols]);
    } catch (cause) {
      const reason = `Cannot connect to ${withoutQuery(target.url)}: ${wordsOf(cause)}`;
      dispatch({ type: "refused", loss: { code: normalClosure, reason } });
      return;
    }
    socket = opening;
    // An abandoned socket still reports its end, seconds later; only the current one counts.
    const whilePresent = (run: (event: SocketEvent) => void) => (event: SocketEvent) => {
      if (socket === opening) run(event);
    };
    opening.addEventListener(
      "open",
      whilePresent(() => dispatch({ type: "opened" })),
    );
    opening.addEventListener(
      "message",
      whilePresent((event) => {
        heard = true;
        dispatch({ type: "heard" });
        if (typeof event.data === "string") options.onText(event.data);
      }),
    );
    opening.addEventListener(
      "close",
      whilePresent((event) => {
        const loss = { code: event.code ?? lostCode, reason: event.reason ?? "" };
        if (state.name === "connecting" && !finalCodes.has(loss.code)) void explain(loss, target, signal);
        else lose(loss);
      }),
    );
    // Without a listener the package `ws` would throw the error; a close event follows it.
    opening.addEventListener("error", () => undefined);
  }

  /** Ends an attempt that did not open, after asking the server why. */
  async function explain(loss: ConnectionLoss, target: Target, signal: AbortSignal): Promise<void> {
    socket = undefined;
    const { fetch } = options;
    if (fetch === false) return lose(loss);
    const verdict = await askWhyRefused(target, fetch, signal);
    if (signal.aborted) return;
    if (verdict === undefined) lose(loss);
    else fail(loss, verdict);
  }

  function fail({ code }: ConnectionLoss, verdict: Verdict): void {
    if ("failure" in verdict) {
      const { failure: error } = verdict;
      dispatch({ type: "refused", loss: { code, reason: error.message, error } });
    } else {
      const { reason, retryAfterMs } = verdict;
      retry({ code, reason }, retryAfterMs);
    }
  }

  function retry(loss: ConnectionLoss, retryAfterMs: number | undefined): void {
    const failed = state.name === "connecting" || state.name === "open" ? state.attempt : 0;
    const retryAtMs = options.now() + (retryAfterMs ?? options.backoff(failed + 1));
    dispatch({ type: "lost", loss, retryAtMs });
  }

  function lose({ code, reason }: ConnectionLoss): void {
    const loss = { code, reason: closeWords(reason) };
    if (finalCodes.has(code)) dispatch({ type: "refused", loss });
    // A stopping server gives each of its clients a different wait, so that they do not all return at the same moment.
    else retry(loss, retryAfterMsIn(reason));
  }

  /** Any message of the server is a sign of life: after much text the `pong` itself may come late. */
  function listenForLife(asked: boolean): void {
    heard = false;
    setHeartbeat(() => {
      if (asked && !heard) {
        giveUp(closeTable.unresponsive.reason);
        return;
      }
      listenForLife(true);
      options.ping();
    });
  }

  /**
   * Calls `decide` after one heartbeat. If the timer was asleep, it waits another second, so that messages that came meanwhile are read
   * first.
   */
  function setHeartbeat(decide: () => void): void {
    const dueAtMs = options.now() + heartbeatMs;
    stopTimer = options.setTimer(() => {
      if (options.now() - dueAtMs < asleepMs) decide();
      else stopTimer = options.setTimer(decide, asleepMs);
    }, heartbeatMs);
  }

  function giveUp(reason: string): void {
    lose({ code: closeTable.unresponsive.code, reason });
  }

  function leaveSocket(stage: ConnectionState["name"]): void {
    const left = socket;
    socket = undefined;
    // `close` takes only 1000 and 3000-4999; on a socket that is still connecting it takes no code.
    if (stage === "open") left?.close(normalClosure);
    else left?.close();
  }

  function send(text: string): void {
    if (state.name === "open") socket?.send(text);
  }

  return {
    get state() {
      return state;
    },
    connect: () => dispatch({ type: "connect" }),
    send,
    disconnect: () => dispatch({ type: "disconnect" }),
    close: () => dispatch({ type: "close", loss: { code: normalClosure, reason: "Closed by this side." } }),
  };
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
