import type { RequestFailure } from "./request-error.ts";

/** Why a connection ended or could not be made; `code` is a WebSocket close code, 1006 where none came. */
export interface ConnectionLoss {
  readonly code: number;
  readonly reason: string;
  /** There if the server refuses this client, which ends the attempts; every open request ends with the same. */
  readonly error?: RequestFailure;
}

/**
 * The life of a client's connection. `idle` is not connected, before the first `connect` and after a `disconnect`. `attempt` counts
 * the failed attempts in a row: it is 0 again as soon as the server has said something. `retryAtMs` is on the client's own clock,
 * `Date.now()` by default.
 */
export type ConnectionState =
  | { readonly name: "idle" }
  | { readonly name: "connecting"; readonly attempt: number }
  | { readonly name: "open"; readonly attempt: number }
  | {
      readonly name: "waiting";
      readonly attempt: number;
      readonly retryAtMs: number;
      readonly loss: ConnectionLoss;
    }
  | { readonly name: "closed"; readonly loss: ConnectionLoss };

/** What can happen to a connection. `lost` comes back after a wait, `disconnect` when asked to, `refused` and `close` are final. */
export type ConnectionEvent =
  | { readonly type: "connect" }
  | { readonly type: "opened" }
  | { readonly type: "heard" }
  | { readonly type: "lost"; readonly loss: ConnectionLoss; readonly retryAtMs: number }
  | { readonly type: "refused"; readonly loss: ConnectionLoss }
  | { readonly type: "disconnect" }
  | { readonly type: "close"; readonly loss: ConnectionLoss };

/** The one transition function. An event that means nothing in a state gives back that very state. */
export function transition(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  if (state.name === "closed") return state;
  switch (event.type) {
    case "connect":
      if (state.name === "idle") return { name: "connecting", attempt: 0 };
      return state.name === "waiting" ? { name: "connecting", attempt: state.attempt } : state;
    case "opened":
      return state.name === "connecting" ? { name: "open", attempt: state.attempt } : state;
    case "heard":
      return state.name === "open" && state.attempt > 0 ? { name: "open", attempt: 0 } : state;
    case "lost":
      if (state.name !== "connecting" && state.name !== "open") return state;
      return { name: "waiting", attempt: state.attempt + 1, retryAtMs: event.retryAtMs, loss: event.loss };
    case "refused":
      return state.name === "connecting" || state.name === "open"
        ? { name: "closed", loss: event.loss }
        : state;
    case "disconnect":
      return state.name === "idle" ? state : { name: "idle" };
    case "close":
      return { name: "closed", loss: event.loss };
  }
}
