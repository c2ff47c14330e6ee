import type { ClientMessageInput, RequestMessage } from "../protocol/client-messages.ts";
import type { ServerMessage, ServerMessages } from "../protocol/server-messages.ts";
import { createMessageLog } from "./message-log.ts";
import { failureOf, type RequestFailure, TroupeRequestError } from "./request-error.ts";

export type RequestType = RequestMessage["type"];
/** What `data` of a request of type `T` may hold; see PROTOCOL.md. */
export type RequestData<T extends RequestType> = Extract<ClientMessageInput, { type: T }>["data"];
export type ResponseMessage = ServerMessages["response"];

/** One request for an answer, iterable as often as wanted, each time from its first message. */
export interface TroupeRequest extends AsyncIterable<ServerMessage> {
  /** The name it has on the wire; `undefined` until the server has named a request that was sent without one. */
  readonly id: string | undefined;
  /** Where it stands now. Changes with the client's `state`, and with the request's end. */
  readonly standing: RequestStanding;
  /**
   * The last message, a `response` (also after a cancel). Rejects with a `TroupeRequestError` whose code is one of the server's
   * or `closed`, `cancelled`, `lost`.
   */
  readonly done: Promise<ResponseMessage>;
  /** Asks the server to stop the request, or only the lane of one persona. What came until then still arrives. */
  cancel(personaId?: string): void;
  /** Whether it has ended with an error after which `retry` runs it again: a `retryable` one of a request that this client asked. */
  readonly canRetry: boolean;
  /**
   * Runs the request again under its id once `done` has rejected with a `retryable` error; wait for its `retryAfterMs` first. What was
   * said before is void: the messages of the returned request begin with a `reset`, or with the request's first message if nothing of it
   * was kept. Others may ask for the same at the same time: the request runs once more for all of them.
   * Throws a `TroupeRequestError`: `not_retryable`, `closed`, `request_id_conflict` where it runs again already on this client.
   */
  retry(): TroupeRequest;
}

/**
 * Where a request stands for the client: `unsent` waits for a connection, `followed` was sent and gets the server's messages,
 * `unfollowed` has no connection: the server may go on with it, and a connection picks it up.
 */
export type RequestStanding = "unsent" | "followed" | "unfollowed" | "ended";

/**
 * Where a request stands on the present connection: `queued` was never sent, `detached` was sent on a connection that is gone,
 * `resuming` has asked for what it missed, `live` receives.
 */
export type RequestPhase = "queued" | "detached" | "resuming" | "live" | "ended";

/** What the table keeps of a request. */
export interface RequestEntry {
  readonly request: TroupeRequest;
  /** `undefined` for a request that is only followed: it has a name. */
  readonly type: RequestType | undefined;
  /** The message as it is sent; `undefined` for a request that is only followed. */
  readonly frame: string | undefined;
  /** The number of the error that the request is to run again after; 0 if it is no retry. */
  readonly retrySeq: number;
  id: string | undefined;
  phase: RequestPhase;
  /** The last message delivered; 0 before the first. */
  lastSeq: number;
  /** `lastSeq` when a gap last made it resume, so that a server that cannot fill it is not asked for ever. */
  gapAfterSeq: number | undefined;
  /** What is to stop: persona ids, or the whole (`undefined`). Kept, since a drop may have swallowed the message. */
  readonly cancels: Set<string | undefined>;
  push(message: ServerMessage): void;
  /** Ends it with its last message, or with a failure that has no message. */
  end(outcome: ResponseMessage | ServerMessages["error"] | RequestFailure): void;
}

interface EntryOptions {
  readonly type?: RequestType;
  readonly retrySeq?: number;
  /** Asks once more, after the error of this number, or 0 if it had none. Default: it cannot be asked again. */
  readonly again?: (retrySeq: number) => TroupeRequest;
  readonly id: string | undefined;
  readonly frame: string | undefined;
  readonly phase: RequestPhase;
  /** The last message that was seen elsewhere. Default 0. */
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
  // Who only iterates never asks for `done`; its rejection must not count as unhandled then.
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
