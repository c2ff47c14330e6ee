import {
  type ConnectionState,
  createTranscript,
  createTroupeClient,
  failTranscript,
  foldMessage,
  followAgain,
  type RequestData,
  type RequestStanding,
  type RequestType,
  type Transcript,
  type TroupeClient,
  type TroupeClientOptions,
  type TroupeRequest,
  TroupeRequestError,
} from "../client/index.ts";

/** A request in the form that a component shows. */
export interface ShownRequest {
  /** Key in the list, and argument of `cancel`. */
  readonly id: string;
  readonly type: RequestType;
  /** The question: the `message` or `input_text` of the request. */
  readonly question: string;
  /** Whether the request was sent and is followed; see the client's `RequestStanding`. */
  readonly standing: RequestStanding;
  readonly transcript: Transcript;
}

export interface TroupeSnapshot {
  readonly state: ConnectionState;
  /** Oldest first; only the newest 100 are kept. */
  readonly requests: readonly ShownRequest[];
}

/** Asks for an answer and returns the request's id. Throws a `TroupeRequestError`, `closed` if the store is not open. */
export type Send = <T extends RequestType>(
  type: T,
  data: RequestData<T>,
  /** `id` names the request. A request with the same id replaces the shown one. Default: a new id. */
  options?: { readonly id?: string },
) => string;

export interface RequestStore {
  /** The same object until something changes. */
  readonly snapshot: () => TroupeSnapshot;
  readonly subscribe: (listener: () => void) => () => void;
  /**
   * Connects; the returned function disconnects, and the store can be opened again. Unfinished requests then continue if it is opened to
   * the same address.
   */
  open(options: TroupeClientOptions): () => void;
  readonly send: Send;
  /** Shows a request that was asked elsewhere, or before a reload, from its first message on. Throws like `send`. */
  readonly resume: (type: RequestType, id: string, question?: string) => void;
  readonly cancel: (id: string, personaId?: string) => void;
  readonly connect: () => void;
  /** Disconnects; running requests are `unfollowed` until the next connection. */
  readonly disconnect: () => void;
  /**
   * Runs a request again after a retryable error (`transcript.error`) and drops its shown text. Does nothing for any other request.
   * Throws a `TroupeRequestError` `closed` if the store is not open.
   */
  readonly retry: (id: string) => void;
}

/** The data for asking a request again. */
interface Asked {
  readonly type: RequestType;
  /** `undefined` if it was asked elsewhere. */
  readonly data: RequestData<RequestType> | undefined;
  /** The server's address; empty if a function gives it. */
  readonly server: string;
}

/** Older requests are not shown any more; they still run to their end. */
const shownRequests = 100;
const idle: TroupeSnapshot = { state: { name: "idle" }, requests: [] };

/** Creates the store that `useTroupe` reads: a client and the transcripts of its requests, without React. */
export function createRequestStore(): RequestStore {
  const listeners = new Set<() => void>();
  const asked = new Map<string, Asked>();
  const running = new Map<string, TroupeRequest>();
  /** Failed requests that can run again. */
  const failed = new Map<string, { readonly request: TroupeRequest; readonly about: Asked }>();
  let client: TroupeClient | undefined;
  let server = "";
  let snapshot = idle;

  function change(part: Partial<TroupeSnapshot>): void {
    snapshot = { ...snapshot, ...part };
    for (const listener of [...listeners]) listener();
  }

  function changeTranscript(id: string, next: (transcript: Transcript) => Transcript): void {
    change({
      requests: snapshot.requests.map((shown) =>
        shown.id === id ? { ...shown, standing: standingOf(id), transcript: next(shown.transcript) } : shown,
      ),
    });
  }

  function standingOf(id: string): RequestStanding {
    const request = running.get(id);
    // For the client the request has ended, but it still has messages to fold in here.
    return request?.standing === "ended" ? "followed" : (request?.standing ?? "ended");
  }

  function showState(opened: TroupeClient): void {
    const requests = snapshot.requests.map((shown) => {
      const standing = standingOf(shown.id);
      return standing === shown.standing ? shown : { ...shown, standing };
    });
    change({ state: opened.state, requests });
  }

  async function show(id: string, request: TroupeRequest): Promise<void> {
    running.set(id, request);
    const about = asked.get(id);
    // Another request may have replaced it: the same one, on the next connection.
    const isPresent = () => running.get(id) === request;
    request.done.catch(() => {
      const isReplaced = running.has(id) && !isPresent();
      if (about !== undefined && !isReplaced && request.canRetry) failed.set(id, { request, about });
    });
    try {
      for await (const message of request) {
        if (!isPresent()) return;
        changeTranscript(id, (transcript) => foldMessage(transcript, message));
      }
      endShown(id, isPresent, (transcript) => transcript);
    } catch (thrown) {
      if (!(thrown instanceof TroupeRequestError)) throw thrown;
      endShown(id, isPresent, (transcript) => failTranscript(transcript, thrown));
    }
  }

  function endShown(id: string, isPresent: () => boolean, last: (transcript: Transcript) => Transcript) {
    if (!isPresent()) return;
    running.delete(id);
    changeTranscript(id, last);
    if (snapshot.requests.find((shown) => shown.id === id)?.transcript.status !== "unfollowed")
      asked.delete(id);
  }

  function add(id: string, request: TroupeRequest, about: Asked, question: string): void {
    asked.set(id, about);
    const { type, data } = about;
    const transcript = createTranscript(data === undefined ? [] : personasOf(data));
    const shown: ShownRequest = { id, type, question, standing: request.standing, transcript };
    const others = snapshot.requests.filter((other) => other.id !== id);
    change({ requests: [...others, shown].slice(-shownRequests) });
    for (const old of failed.keys())
      if (old === id || !others.some((other) => other.id === old)) failed.delete(old);
    void show(id, request);
  }

  function present(): TroupeClient {
    if (client !== undefined) return client;
    throw new TroupeRequestError({
      ...{ code: "closed", message: "The component is not mounted.", retryable: false },
    });
  }

  /** Continues the requests of an earlier client of the same server. A request without any message is asked again under its id. */
  function pickUp(opened: TroupeClient): void {
    for (const { id, transcript } of snapshot.requests) {
      const known = asked.get(id);
      if (transcript.status !== "unfollowed" || known === undefined || known.server !== server) continue;
      const { type, data } = known;
      const request =
        transcript.seq === 0 && data !== undefined
          ? opened.request(type, data, { id })
          : opened.resume(id, { after: transcript.seq });
      void show(id, request);
      changeTranscript(id, followAgain);
    }
  }

  return {
    snapshot: () => snapshot,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    open(options) {
      const opened = createTroupeClient(options);
      client = opened;
      server = typeof options.url === "string" ? options.url : "";
      const stop = opened.subscribe(() => showState(opened));
      opened.connect();
      pickUp(opened);
      return () => {
        const left = [...running.keys()];
        running.clear();
        opened.close();
        stop();
        client = undefined;
        const closed = { code: "closed", message: "The connection was closed.", retryable: true } as const;
        for (const id of left) changeTranscript(id, (transcript) => failTranscript(transcript, closed));
      };
    },
    send(type, data, options = {}) {
      const request = present().request(type, data, options);
      const id = request.id ?? "";
      add(id, request, { type, data, server }, questionOf(data));
      return id;
    },
    resume(type, id, question = "") {
      add(id, present().resume(id), { type, data: undefined, server }, question);
    },
    cancel: (id, personaId) => running.get(id)?.cancel(personaId),
    connect: () => client?.connect(),
    disconnect: () => client?.disconnect(),
    retry(id) {
      const found = failed.get(id);
      if (found === undefined) return;
      const again = found.request.retry();
      failed.delete(id);
      asked.set(id, found.about);
      void show(id, again);
      changeTranscript(id, ({ lanes }) => createTranscript(lanes.map(({ personaId }) => personaId)));
    },
  };
}

function personasOf(data: object): (string | undefined)[] {
  if ("persona_ids" in data && Array.isArray(data.persona_ids)) return data.persona_ids;
  return ["persona_id" in data && typeof data.persona_id === "string" ? data.persona_id : undefined];
}

function questionOf(data: object): string {
  const question = "message" in data ? data.message : "input_text" in data ? data.input_text : "";
  return typeof question === "string" ? question : "";
}
