import type { CloseName } from "../protocol/closes.ts";
import type { ErrorCode, TroupeError } from "../protocol/errors.ts";
import type { Usage } from "./provider.ts";
import type { Voice } from "./turn-event.ts";
import type { CallOutcome } from "./usage-store.ts";

/**
 * Hears of turns, calls, commits, connections, refusals and faults, for a log, metrics or traces. A part calls `observer.turnEnded?.(...)`,
 * so an absent method costs nothing: not even its arguments are made.
 *
 * Contract:
 * - every start has exactly one end, told with the same object, so a `WeakMap` may lead from it to a span;
 * - the methods return at once and must not throw. `combineObservers` guards the server against methods that do;
 * - nothing of a question, an answer or a prompt is told. The message of an error's cause may quote a provider's refusal;
 * - durations are milliseconds of the monotonic clock, fractions included, and each ends when its method is called.
 *
 * Fields have the names of OpenTelemetry's GenAI conventions where those have one, in camelCase: `requestModel` is `gen_ai.request.model`.
 */
export interface Observer {
  /** A request was accepted and runs. A refused request is no turn; see `refused`. */
  turnStarted?(turn: TurnFacts): void;
  turnEnded?(turn: TurnFacts, end: TurnEnd): void;
  /** A voice of several failed; its turn may complete all the same. */
  laneFailed?(turn: TurnFacts, failure: LaneFailure): void;
  /** A budget covers the call, and the provider is about to be called. */
  callStarted?(call: CallFacts): void;
  callEnded?(call: CallFacts, end: CallEnd): void;
  /** An endpoint, or one model of it, is left alone for a time, or asked again. */
  breakerChanged?(change: BreakerChange): void;
  /** A commit of a durable store succeeded. Stores in memory have none. */
  committed?(commit: Commit): void;
  connectionOpened?(connection: ConnectionFacts): void;
  connectionClosed?(connection: ConnectionFacts, end: ConnectionEnd): void;
  refused?(refusal: RefusalFacts): void;
  /** Turns of a process that is gone were found. The continued ones start here as well, with `isRecovered`. */
  recovered?(turns: RecoveredTurns): void;
  storageChanged?(change: StorageChange): void;
  /** Redis, which carries messages between servers, cannot be used, or can again. Told only on a change; at the start it counts as working. */
  messengerChanged?(change: MessengerChange): void;
  /** Something that does not affect clients, and that the operator should correct. */
  warned?(warning: Warning): void;
  /** A part failed in a way that no caller is told. */
  faulted?(fault: Fault): void;
}

export interface TurnFacts {
  /** The client's id for it, unique for its owner. */
  readonly requestId: string;
  /** `gen_ai.conversation.id`. Absent for a plain call of the Responses API. */
  readonly conversationId?: string;
  readonly kind: "responses" | "persona" | "personas";
  /** Number of voices. */
  readonly lanes: number;
  /** Another process started it, and it goes on here. */
  readonly isRecovered: boolean;
  /** Time from the request's arrival to its start: look-ups, limits and its row in the store. */
  readonly waitedMs: number;
}

export interface TurnEnd {
  /**
   * `left`: the next process continues it. `lost`: its end could not be stored, and `faulted` was told the cause. Every other outcome is
   * in the log, as clients see it.
   */
  readonly outcome: "completed" | "cancelled" | "failed" | "left" | "lost";
  /** Only with `failed`; its `code` is the `error.type`. */
  readonly error?: TroupeError;
  /** Time from the request's arrival. */
  readonly durationMs: number;
  /** Time from the request's arrival to its first stored text or reasoning; absent if it had none. */
  readonly timeToFirstChunkMs?: number;
  /**
   * The part of `timeToFirstChunkMs` outside the provider: from the request's arrival to its call, and from the provider's first output
   * to the commit of the first chunk. Absent if the turn continues a call of another process, or if the whole answer came at once.
   */
  readonly overheadMs?: number;
}

/** The voice's `personaId` is the `gen_ai.agent.id`. */
export interface LaneFailure extends Voice {
  readonly error: TroupeError;
}

/** One call of a provider: `gen_ai.operation.name` is `chat`, and the voice's `personaId` the `gen_ai.agent.id`. */
export interface CallFacts extends Voice {
  readonly turn: TurnFacts;
  /** `gen_ai.provider.name`: the `api` of the request. */
  readonly providerName: string;
  /** `gen_ai.request.model`. */
  readonly requestModel: string;
  /** It continues an answer that a call of another process started. */
  readonly isResumed: boolean;
}

export interface CallEnd {
  readonly outcome: CallOutcome;
  /** `error.type`: the code of the error that ended the call. Only with `failed` and `interrupted`. */
  readonly errorCode?: ErrorCode;
  /** `gen_ai.usage.*`, of all attempts together. Absent if the call was given up without a count. */
  readonly usage?: Usage;
  /** Requests sent to the provider, 1 without a retry. */
  readonly attempts: number;
  /** `gen_ai.client.operation.duration` in milliseconds: from the first attempt, with the waits between attempts. */
  readonly durationMs: number;
  /** `gen_ai.client.operation.time_to_first_chunk` in milliseconds: from the first attempt to the provider's first event. */
  readonly timeToFirstChunkMs?: number;
}

/** A change of a breaker, or a pause that an endpoint has asked for. */
export interface BreakerChange {
  /** `gen_ai.provider.name`: the endpoint as `api`. */
  readonly providerName: string;
  /** `gen_ai.request.model`. Absent if it is the whole endpoint. */
  readonly requestModel?: string;
  /** `paused`: it asked for a pause. Nothing tells the end of a pause, which passes by itself. */
  readonly state: "open" | "closed" | "paused";
  /** `error.type`: the failure that opened it. */
  readonly code: ErrorCode;
  /** Time until it is asked again, milliseconds. Absent with `closed`. */
  readonly durationMs?: number;
}

interface Commit {
  /** Events of turns, as clients are sent them. */
  readonly events: number;
  /** Text and binary data written, in UTF-8 bytes. */
  readonly bytes: number;
  /** From handing it to the database to its answer, without the wait for the beat. */
  readonly durationMs: number;
}

export interface ConnectionFacts {
  readonly door: "websocket";
}

interface ConnectionEnd {
  /** The close that the server started; else `client` for a client's close, and `lost` if the connection broke without one. */
  readonly reason: CloseName | "client" | "lost";
  readonly durationMs: number;
}

/** A refusal before a request's work: of a frame on an open socket, of a handshake, or at the gate of the HTTP routes. */
export type RefusalFacts =
  | { readonly at: "frame"; readonly code: string }
  | {
      readonly at: "handshake" | "http";
      readonly code: string;
      /** HTTP status. */
      readonly status: number;
      /** A sentence for people. It repeats nothing that the client sent. */
      readonly message: string;
      /** Computed on demand, because floods of refusals must cost little. Call it at once: the request does not last. */
      readonly client: () => RefusedClient;
    };

interface RefusedClient {
  readonly address: string;
  /** A valid host name and a valid origin, both cut. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

export interface RecoveredTurns {
  readonly continued: number;
  /** They ended as `interrupted`. */
  readonly interrupted: number;
}

export type StorageChange =
  | { readonly state: "failing"; readonly error: Error }
  | { readonly state: "working" }
  /** Found at the start: the server runs without this part of the database. */
  | { readonly state: "damaged"; readonly part: string };

/** `away`: servers tell each other through PostgreSQL meanwhile. The error has no secret in it. */
export type MessengerChange =
  | { readonly state: "away"; readonly error: Error }
  | { readonly state: "working" };

export interface Warning {
  readonly message: string;
  readonly cause?: unknown;
}

export interface Fault {
  /**
   * `connection`: one connection or a request of it. `frame`, `handshake`, `http`: that could not be handled, and its client was told
   * `internal_error`. `turn`: a turn's log or its conversation could not be written. `storage`: a read or a write that no caller waits for.
   * `recovery`: turns could not be recovered. `worker`: another process could not be told something. `observer`: an observer threw.
   */
  readonly where:
    | "connection"
    | "frame"
    | "handshake"
    | "http"
    | "turn"
    | "storage"
    | "recovery"
    | "worker"
    | "observer";
  readonly error: unknown;
  /** The turn's request; only with `turn`. */
  readonly requestId?: string;
}

/** Returns a function that tells the faults of one part. */
export function faultsOf(observer: Observer, where: Fault["where"]): (error: unknown) => void {
  return (error) => observer.faulted?.({ where, error });
}
