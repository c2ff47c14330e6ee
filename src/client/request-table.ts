import type { ServerMessage, ServerMessages } from "../protocol/server-messages.ts";
import { createRequestEntry, type RequestEntry, type RequestType, type TroupeRequest } from "./request.ts";
import { type RequestFailure, TroupeRequestError } from "./request-error.ts";

interface TableOptions {
  readonly isOpen: () => boolean;
  readonly send: (text: string) => void;
}

/** A request of this client; see `RequestEntry`. */
interface AskedRequest {
  readonly type: RequestType;
  readonly id: string | undefined;
  readonly frame: string;
  readonly retrySeq: number;
  readonly again: (retrySeq: number) => TroupeRequest;
}

/** All unfinished requests, with the message that each needs on a new connection. */
interface RequestTable {
  /** Adds a request of this client; `id: undefined` sends it without an id. */
  ask(asked: AskedRequest): TroupeRequest;
  /** Adds a request that was asked elsewhere or earlier, and follows it after `afterSeq`. */
  resume(id: string, afterSeq: number): TroupeRequest;
  /** Adds another client's request whose messages are about to come; `undefined` if it is already known. */
  join(id: string): TroupeRequest | undefined;
  /** Takes a message that belongs to a request. */
  receive(message: ServerMessage): void;
  attachAll(): void;
  detachAll(): void;
  endAll(failure: RequestFailure): void;
}

type NumberedMessage = ServerMessage & { readonly request_id: string; readonly seq: number };
type ErrorMessage = ServerMessages["error"];

const cancelledBeforeStart: RequestFailure = {
  code: "cancelled",
  message: "The request was cancelled before the server knew of it.",
  retryable: false,
};
const connectionLost: RequestFailure = {
  code: "lost",
  message:
    "The connection ended before the server had named the request. Without an id it cannot be resumed.",
  retryable: true,
};
const gapStays: RequestFailure = {
  code: "lost",
  message: "The server left out a part of the answer, also when asked again.",
  retryable: true,
};

export function createRequestTable({ isOpen, send }: TableOptions): RequestTable {
  const named = new Map<string, RequestEntry>();
  /** Requests sent without an id. The server answers them one after another, so its ids for them come in this order. */
  let unnamed: RequestEntry[] = [];

  function end(entry: RequestEntry, outcome: Parameters<RequestEntry["end"]>[0]): void {
    if (entry.id !== undefined) named.delete(entry.id);
    unnamed = unnamed.filter((other) => other !== entry);
    entry.end(outcome);
  }

  /** Sends the request, or a `resume` of it. */
  function attach(entry: RequestEntry): void {
    if (entry.phase === "queued") ask(entry);
    else if (entry.phase === "detached" && isUnansweredRetry(entry)) ask(entry);
    else if (entry.phase === "detached") resume(entry);
  }

  function ask(entry: RequestEntry): void {
    entry.phase = "live";
    if (entry.frame !== undefined) send(entry.frame);
    sendCancels(entry);
  }

  function resume(entry: RequestEntry): void {
    entry.phase = "resuming";
    send(verbFrame("resume", entry, { after_seq: entry.lastSeq }));
  }

  function sendCancels(entry: RequestEntry): void {
    if (entry.id === undefined || entry.phase !== "live") return;
    for (const personaId of entry.cancels) send(verbFrame("cancel", entry, { persona_id: personaId }));
  }

  function cancel(entry: RequestEntry, personaId: string | undefined): void {
    if (entry.phase === "ended" || entry.cancels.has(personaId)) return;
    if (entry.phase === "queued" && personaId === undefined) {
      end(entry, cancelledBeforeStart);
      return;
    }
    entry.cancels.add(personaId);
    if (entry.id !== undefined && entry.phase === "live")
      send(verbFrame("cancel", entry, { persona_id: personaId }));
  }

  function nextUnnamed(type: string | undefined): RequestEntry | undefined {
    return unnamed.find((entry) => entry.phase === "live" && entry.type === type);
  }

  function entryOf(id: string, seq: number | undefined): RequestEntry | undefined {
    const known = named.get(id);
    const first = seq === 1 ? unnamed.find((entry) => entry.phase === "live") : undefined;
    if (known !== undefined || first === undefined) return known;
    unnamed = unnamed.filter((entry) => entry !== first);
    first.id = id;
    named.set(id, first);
    sendCancels(first);
    return first;
  }

  function accept(message: NumberedMessage): void {
    const entry = entryOf(message.request_id, message.seq);
    if (entry === undefined) return;
    const isEnd = message.type === "response" || message.type === "error";
    // The end was not a retryable error, so it is also the answer to the retry.
    if (isEnd && message.seq === entry.retrySeq && isUnansweredRetry(entry)) {
      end(entry, message);
      return;
    }
    if (message.seq <= entry.lastSeq) return;
    if (message.seq > entry.lastSeq + 1) {
      askForGap(entry);
      return;
    }
    entry.lastSeq = message.seq;
    if (message.type === "persona_response") entry.cancels.delete(message.persona_id);
    if (isEnd) end(entry, message);
    else entry.push(message);
  }

  /** While it resumes, messages from the old position have a gap too, which is nothing new. */
  function askForGap(entry: RequestEntry): void {
    if (entry.phase !== "live") return;
    if (entry.gapAfterSeq === entry.lastSeq) end(entry, gapStays);
    else {
      entry.gapAfterSeq = entry.lastSeq;
      resume(entry);
    }
  }

  /**
   * Handles an error without a number. It refuses a frame (the request itself, its `resume` or its `cancel`), or says that an end could
   * not be stored.
   */
  function refuse(message: ErrorMessage): void {
    const { request_id: requestId } = message;
    if (message.in_reply_to === undefined && requestId !== undefined) {
      const entry = named.get(requestId) ?? unnamed.find((one) => one.phase === "live");
      if (entry !== undefined) end(entry, message);
      return;
    }
    const { type, id } = message.in_reply_to ?? {};
    const entry = id === undefined ? nextUnnamed(type) : named.get(id);
    // A server that shuts down closes the connection next, and the request continues on the next one.
    if (entry === undefined || message.code === "shutting_down") return;
    const unknown = message.code === "request_not_found";
    if (type === "cancel" && !unknown) {
      if (message.code !== "request_ended") entry.push(message);
    } else if (type === "resume" && unknown && entry.lastSeq === 0 && entry.frame !== undefined) {
      // It never arrived, so asking again is its first time.
      if (entry.cancels.has(undefined)) end(entry, cancelledBeforeStart);
      else ask(entry);
    } else {
      end(entry, message);
    }
  }

  function assertFree(id: string): void {
    if (!named.has(id)) return;
    throw new TroupeRequestError({
      code: "request_id_conflict",
      message: "A request with this id is running on this client.",
      retryable: false,
    });
  }

  return {
    ask(asked) {
      const { id } = asked;
      if (id !== undefined) assertFree(id);
      const entry = createRequestEntry({ ...asked, phase: "queued", onCancel: cancel });
      if (id === undefined) unnamed.push(entry);
      else named.set(id, entry);
      if (isOpen()) attach(entry);
      return entry.request;
    },
    resume(id, lastSeq) {
      assertFree(id);
      const entry = createRequestEntry({
        ...{ id, frame: undefined, lastSeq },
        ...{ phase: "detached", onCancel: cancel },
      });
      named.set(id, entry);
      if (isOpen()) attach(entry);
      return entry.request;
    },
    join(id) {
      if (named.has(id)) return undefined;
      const entry = createRequestEntry({ id, frame: undefined, phase: "live", onCancel: cancel });
      named.set(id, entry);
      return entry.request;
    },
    receive(message) {
      if (message.type === "resumed") {
        const entry = named.get(message.request_id);
        if (entry?.phase !== "resuming") return;
        entry.phase = "live";
        sendCancels(entry);
      } else if (message.type === "reset" && message.through_seq !== undefined) {
        const entry = named.get(message.request_id);
        if (entry === undefined) return;
        entry.lastSeq = message.through_seq;
        entry.push(message);
      } else if (isNumbered(message)) {
        accept(message);
      } else if (message.type === "error") {
        refuse(message);
      }
    },
    attachAll() {
      for (const entry of [...named.values(), ...unnamed]) attach(entry);
    },
    detachAll() {
      for (const entry of [...named.values(), ...unnamed]) {
        if (entry.phase === "queued") continue;
        entry.phase = "detached";
        if (entry.id === undefined) end(entry, connectionLost);
      }
    },
    endAll(failure) {
      for (const entry of [...named.values(), ...unnamed]) end(entry, failure);
    },
  };
}

/** The frame has the request's id as its own, so that a refusal of it can be matched. */
function verbFrame(type: "resume" | "cancel", entry: RequestEntry, fields: object): string {
  return JSON.stringify({ type, id: entry.id, data: { request_id: entry.id, ...fields } });
}

/** True if no answer to the retry has come. It may not have arrived, so sending it again is safe. */
function isUnansweredRetry({ retrySeq, lastSeq }: RequestEntry): boolean {
  return retrySeq > 0 && lastSeq === retrySeq;
}

function isNumbered(message: ServerMessage): message is NumberedMessage {
  return "seq" in message && message.seq !== undefined;
}
