import type { RequestFailure } from "./request-error.ts";

/** Why a connection ended or could not be made. `code` is a WebSocket close code, 1006 if there was no close. */
export interface ConnectionLoss {
  readonly code: number;
  readonly reason: string;
  /** Present if the server refuses this client, which ends the attempts. Every open request ends with the same error. */
  readonly error?: RequestFailure;
}

/**
 * The life of a client's connection. `idle` is not connected, before the first `connect` and after a `disconnect`. `attempt` counts the
 * failed attempts in a row; it is 0 again after the server's first message. `retryAtMs` is on the client's own clock, `Date.now()` by
 * default.
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

/** The events of a connection. After `lost` it reconnects after a wait, after `disconnect` on request; `refused` and `close` are final. */
export type ConnectionEvent =
  | { readonly type: "connect" }
  | { readonly type: "opened" }
  | { readonly type: "heard" }
  | { readonly type: "lost"; readonly loss: ConnectionLoss; readonly retryAtMs: number }
  | { readonly type: "refused"; readonly loss: ConnectionLoss }
  | { readonly type: "disconnect" }
  | { readonly type: "close"; readonly loss: ConnectionLoss };

/** The one transition function. An event without effect in a state returns that same state. */
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
