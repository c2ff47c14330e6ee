import type { ClientMessageInput, RequestMessage } from "../protocol/client-messages.ts";
import type { ServerMessage, ServerMessages } from "../protocol/server-messages.ts";
import { createMessageLog } from "./message-log.ts";
import { failureOf, type RequestFailure, TroupeRequestError } from "./request-error.ts";

export type RequestType = RequestMessage["type"];
/** The `data` of a request of type `T`; see PROTOCOL.md. */
export type RequestData<T extends RequestType> = Extract<ClientMessageInput, { type: T }>["data"];
export type ResponseMessage = ServerMessages["response"];

/** One request for an answer. It can be iterated any number of times, each time from its first message. */
export interface TroupeRequest extends AsyncIterable<ServerMessage> {
  /** Its id on the wire; `undefined` until the server has named a request that was sent without one. */
  readonly id: string | undefined;
  /** Its standing now. Changes with the client's `state`, and with the request's end. */
  readonly standing: RequestStanding;
  /**
   * The last message, a `response` (also after a cancel). Rejects with a `TroupeRequestError` whose code is one of the server's
   * or `closed`, `cancelled`, `lost`.
   */
  readonly done: Promise<ResponseMessage>;
  /** Asks the server to stop the request, or only the lane of one persona. Messages sent before the stop still arrive. */
  cancel(personaId?: string): void;
  /** Whether `retry` can run it again: this client asked it, and it has ended with a `retryable` error. */
  readonly canRetry: boolean;
  /**
   * Runs the request again under its id after `done` has rejected with a `retryable` error; wait for its `retryAfterMs` first. The
   * earlier messages are void: the messages of the returned request start with a `reset`, or with the request's first message if none of
   * it was kept. If others retry at the same time, the request runs once more for all of them. Throws a `TroupeRequestError`:
   * `not_retryable`, `closed`, or `request_id_conflict` if this client already runs it again.
   */
  retry(): TroupeRequest;
}

/**
 * A request's standing for the client: `unsent` waits for a connection, `followed` was sent and gets the server's messages. `unfollowed`
 * has no connection: the server may continue it, and the next connection picks it up.
 */
export type RequestStanding = "unsent" | "followed" | "unfollowed" | "ended";

/**
 * A request's phase on the current connection: `queued` was never sent, `detached` was sent on a connection that is gone. `resuming` has
 * asked for the missed messages, `live` receives.
 */
type RequestPhase = "queued" | "detached" | "resuming" | "live" | "ended";

/** An entry of the request table. */
export interface RequestEntry {
  readonly request: TroupeRequest;
  /** `undefined` for a request that is only followed, because it has an id. */
  readonly type: RequestType | undefined;
  /** The message to send; `undefined` for a request that is only followed. */
  readonly frame: string | undefined;
  /** The number of the error after which the request should run again; 0 if it is not a retry. */
  readonly retrySeq: number;
  id: string | undefined;
  phase: RequestPhase;
  /** The number of the last delivered message; 0 before the first. */
  lastSeq: number;
  /** `lastSeq` at the last resume because of a gap, so that a server that cannot fill it is not asked forever. */
  gapAfterSeq: number | undefined;
  /** The stops to ask for: persona ids, or the whole request (`undefined`). Kept, because a drop may have lost the message. */
  readonly cancels: Set<string | undefined>;
  push(message: ServerMessage): void;
  /** Ends it with its last message, or with a failure without a message. */
  end(outcome: ResponseMessage | ServerMessages["error"] | RequestFailure): void;
}

interface EntryOptions {
  readonly type?: RequestType;
  readonly retrySeq?: number;
  /** Asks again, after the error of this number, or 0 if it had none. Default: it cannot be asked again. */
  readonly again?: (retrySeq: number) => TroupeRequest;
  readonly id: string | undefined;
  readonly frame: string | undefined;
  readonly phase: RequestPhase;
  /** The last message seen elsewhere. Default 0. */
  readonly lastSeq?: number;
  readonly onCancel: (entry: RequestEntry, personaId: string | undefined) => void;
}

const standings: Readonly<Record<RequestPhase, RequestStanding>> = {
  queued: "unsent",
  detached: "unfollowed",
  resuming: "followed",
  live: "followed",
  ended: "ended",
};

const notRetryable: RequestFailure = {
  code: "not_retryable",
  message: "Only a request of this client that has ended with a retryable error can run again.",
  retryable: false,
};

export function createRequestEntry(options: EntryOptions): RequestEntry {
  const { type, id, frame, phase, retrySeq = 0, lastSeq = retrySeq, onCancel, again } = options;
  const log = createMessageLog<ServerMessage>();
  const outcome = Promise.withResolvers<ResponseMessage>();
  // Code that only iterates never reads `done`; then its rejection must not count as unhandled.
  outcome.promise.catch(() => undefined);
  let failed: { readonly retryable: boolean; readonly seq: number } | undefined;

  const entry: RequestEntry = {
    request: {
      get id() {
        return entry.id;
      },
      get standing() {
        return standings[entry.phase];
      },
      done: outcome.promise,
      cancel: (personaId) => onCancel(entry, personaId),
      get canRetry() {
        return again !== undefined && failed?.retryable === true;
      },
      retry() {
        if (again === undefined || failed?.retryable !== true) throw new TroupeRequestError(notRetryable);
        return again(failed.seq);
      },
      [Symbol.asyncIterator]: () => log[Symbol.asyncIterator](),
    },
    type,
    frame,
    retrySeq,
    id,
    phase,
    lastSeq,
    gapAfterSeq: undefined,
    cancels: new Set(),
    push: (message) => log.push(message),
    end(last) {
      entry.phase = "ended";
      if (!("type" in last)) failed = { retryable: last.retryable, seq: 0 };
      else if (last.type === "error") failed = { retryable: last.retryable, seq: last.seq ?? 0 };
      if (!("type" in last)) {
        const error = new TroupeRequestError(last);
        log.end(error);
        outcome.reject(error);
        return;
      }
      log.push(last);
      log.end();
      if (last.type === "response") outcome.resolve(last);
      else outcome.reject(new TroupeRequestError(failureOf(last)));
    },
  };
  return entry;
}
