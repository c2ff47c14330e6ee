import {
  type ConnectionState,
  createTranscript,
  createTroupeClient,
  failTranscript,
  foldMessage,
  type RequestData,
  type RequestType,
  type Transcript,
  type TroupeClientOptions,
  type TroupeRequest,
  TroupeRequestError,
} from "../client/index.ts";

/** A request as a component shows it. */
export interface ShownRequest {
  /** Key of the list and argument of `cancel`. */
  readonly id: string;
  readonly type: RequestType;
  readonly transcript: Transcript;
}

export interface TroupeSnapshot {
  readonly state: ConnectionState;
  /** Oldest first; the newest 100 are kept. */
  readonly requests: readonly ShownRequest[];
}

export interface RequestStore {
  /** The same object until something changes. */
  readonly snapshot: () => TroupeSnapshot;
  readonly subscribe: (listener: () => void) => () => void;
  /** Connects; the function that comes back disconnects, and the store can be opened again. */
  open(options: TroupeClientOptions): () => void;
  /** Asks and gives the request's id. Throws a `TroupeRequestError` `closed` where the store is not open. */
  readonly send: <T extends RequestType>(type: T, data: RequestData<T>) => string;
  readonly cancel: (id: string, personaId?: string) => void;
}

/** Older requests are no longer shown; they still run to their end. */
const shownRequests = 100;
const idle: TroupeSnapshot = { state: { name: "idle" }, requests: [] };

/** What `useTroupe` reads: a client and the transcripts of its requests, without any React. */
export function createRequestStore(): RequestStore {
  const listeners = new Set<() => void>();
  const running = new Map<string, TroupeRequest>();
  let client: ReturnType<typeof createTroupeClient> | undefined;
  let snapshot = idle;

  function change(part: Partial<TroupeSnapshot>): void {
    snapshot = { ...snapshot, ...part };
    for (const listener of [...listeners]) listener();
  }

  function changeTranscript(id: string, next: (transcript: Transcript) => Transcript): void {
    change({
      requests: snapshot.requests.map((shown) =>
        shown.id === id ? { ...shown, transcript: next(shown.transcript) } : shown,
      ),
    });
  }

  async function show(id: string, request: TroupeRequest): Promise<void> {
    try {
      for await (const message of request)
        changeTranscript(id, (transcript) => foldMessage(transcript, message));
    } catch (thrown) {
      if (!(thrown instanceof TroupeRequestError)) throw thrown;
      changeTranscript(id, (transcript) => failTranscript(transcript, thrown));
    } finally {
      running.delete(id);
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
      const stop = opened.subscribe(() => change({ state: opened.state }));
      opened.connect();
      return () => {
        opened.close();
        stop();
        client = undefined;
      };
    },
    send(type, data) {
      if (client === undefined) {
        throw new TroupeRequestError({
          code: "closed",
          message: "The component is not mounted.",
          retryable: false,
        });
      }
      const id = crypto.randomUUID();
      const request = client.request(type, data, { id });
      running.set(id, request);
      const shown: ShownRequest = { id, type, transcript: createTranscript(personasOf(data)) };
      change({ requests: [...snapshot.requests, shown].slice(-shownRequests) });
      void show(id, request);
      return id;
    },
    cancel: (id, personaId) => running.get(id)?.cancel(personaId),
  };
}

function personasOf(data: object): (string | undefined)[] {
  if ("persona_ids" in data && Array.isArray(data.persona_ids)) return data.persona_ids;
  return ["persona_id" in data && typeof data.persona_id === "string" ? data.persona_id : undefined];
}
