import { wireLimits } from "../protocol/limits.ts";
import type { ServerMessage } from "../protocol/server-messages.ts";
import { exponentialBackoff } from "./backoff.ts";
import { type Changing, ClientConnection } from "./connection.ts";
import type { ConnectionLoss, ConnectionState } from "./connection-state.ts";
import { createFollowTable, type FollowedRequest } from "./follow-table.ts";
import type { Fetch } from "./handshake-refusal.ts";
import { createOwnConversation } from "./own-conversation.ts";
import { createPartReader } from "./part-reader.ts";
import { randomId } from "./random-id.ts";
import { readServerMessage } from "./read-message.ts";
import type { RequestData, RequestType, TroupeRequest } from "./request.ts";
import { TroupeRequestError } from "./request-error.ts";
import { createRequestTable } from "./request-table.ts";
import type { SetTimer, SocketConstructor } from "./socket.ts";
import { readConversation, type StoredConversation } from "./stored-conversation.ts";

export interface TroupeClientOptions {
  /**
   * The server's address, e.g. `ws://localhost:8000/ws`, or a function that returns it before every attempt, such as `ticketUrl` makes.
   * If the function rejects, the attempt has failed; a `TroupeRequestError` that is not `retryable` ends the attempts.
   */
  readonly url: Changing<string>;
  /** WebSocket subprotocols, e.g. `["troupe", "troupe.token.<token>"]`, or a function as for `url`. Default: none. */
  readonly protocols?: Changing<readonly string[]>;
  /**
   * Asks the server by HTTP why an attempt failed, once per failed attempt, because browsers do not tell. 401 and 403 end the attempts;
   * 429 and 503 say when to try again. Default: the global `fetch`. `false`: never asks.
   */
  readonly fetch?: Fetch | false;
  /** Default: the global `WebSocket`. */
  readonly WebSocket?: SocketConstructor;
  /** Takes the number of failed attempts, returns the wait in milliseconds. Default `exponentialBackoff()`. */
  readonly backoff?: (attempt: number) => number;
  /**
   * Headers of the requests over HTTP, e.g. `authorization` if the socket is opened by a ticket. Default: the key among
   * `protocols`, if there is one.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** Makes the ids of requests. Default: random UUIDs. */
  readonly newId?: () => string;
  readonly setTimer?: SetTimer;
  /** Milliseconds, for the state's `retryAtMs`. Default `Date.now`. */
  readonly now?: () => number;
  /** Called for every frame that goes out or comes in. */
  readonly onFrame?: (direction: "out" | "in", text: string) => void;
}

export interface RequestOptions {
  /**
   * The request's id, 1 to 128 characters without control characters. Default: a new one. `false` sends none, like a client of the bare specification.
   * Such requests are answered one after another. If the connection breaks before the first message of one, it ends with `lost`.
   */
  readonly id?: string | false;
}

export interface FollowOptions {
  /**
   * A request of the conversation: later requests come first, also ended ones, as far as the server keeps them. An empty string starts with
   * the first request. Default: only running and future requests.
   */
  readonly after?: string;
}

export interface TroupeClient {
  /** Replaced as a whole: two reads return the same object if nothing happened between them. */
  readonly state: ConnectionState;
  /** Calls `listener` after every change of `state`; returns the function that stops it. */
  subscribe(listener: () => void): () => void;
  /** Connects, or ends a wait early. A request connects by itself. Unfinished requests are picked up. */
  connect(): void;
  /**
   * Disconnects without ending any request: `state` is `idle`, running requests are `unfollowed`, and the next connection picks them up.
   * Until then the server treats them by their `on_disconnect`. A request without an id that the server has not named yet ends with
   * `lost`.
   */
  disconnect(): void;
  /**
   * Asks for an answer. A `chat` or `multi_chat` that names no conversation continues this client's own, also after a reconnect. Throws a
   * `TroupeRequestError`: `closed` after `close`, `request_id_conflict` if a request with this id is running, `message_too_big`.
   */
  request<T extends RequestType>(type: T, data: RequestData<T>, options?: RequestOptions): TroupeRequest;
  /**
   * Follows a request that was asked elsewhere, or by an earlier client: its messages after number `after` (default 0, all), then new
   * ones. Calls no model. Fails with the server's `request_not_found` or `seq_out_of_range`. Throws `closed` after `close`, and
   * `request_id_conflict` if this client has the request already.
   */
  resume(id: string, options?: { readonly after?: number }): TroupeRequest;
  /**
   * Reads a conversation with all its messages over HTTP. Rejects with a `TroupeRequestError`:
   * `conversation_not_found`, `unauthenticated` and other codes of the server, or `lost` if there was no usable answer.
   */
  conversation(conversationId: string): Promise<StoredConversation>;
  /**
   * Follows a conversation: its running requests and every later one, except this client's own; also requests that ran while this client
   * was away. Ends with `unfollow` and when the client is closed. Throws the server's refusal, e.g. `conversation_not_found`,
   * `request_not_found` for `after`, or the client's, e.g. `unauthenticated`.
   */
  follow(conversationId: string, options?: FollowOptions): AsyncIterable<FollowedRequest>;
  /** Ends a `follow`. Other clients' requests that came through it get no further messages. */
  unfollow(conversationId: string): void;
  /** Ends the connection for good. Unfinished requests end with `closed`; the server continues them. */
  close(): void;
}

/**
 * A client of one server. Every request's messages arrive once, in order and without a gap, even if the connection breaks often. Dispose
 * of it with `close`.
 */
export function createTroupeClient(options: TroupeClientOptions): TroupeClient {
  const { url, protocols = [], backoff = exponentialBackoff(), newId = randomId, onFrame } = options;
  const listeners = new Set<() => void>();
  const own = createOwnConversation();
  let connections = 0;
  const parts = createPartReader();

  const connection = new ClientConnection({
    url,
    protocols,
    fetch: options.fetch ?? globalThis.fetch,
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
    backoff,
    setTimer: options.setTimer ?? setStandardTimer,
    now: options.now ?? Date.now,
    onOpen() {
      connections += 1;
      follows.attachAll();
      requests.attachAll();
    },
    ping: () => send('{"type":"ping"}'),
    onText(text) {
      onFrame?.("in", text);
      const message = readServerMessage(text);
      const whole = message === undefined ? undefined : parts.read(message);
      if (whole !== undefined) receive(whole);
    },
    onGone() {
      parts.clear();
      requests.detachAll();
      if (connection.state.name === "closed") endEverything(connection.state.loss);
    },
    onState() {
      for (const listener of [...listeners]) listener();
    },
  });
  const isOpen = () => connection.state.name === "open";
  const requests = createRequestTable({ isOpen, send });
  const follows = createFollowTable({ isOpen, send, join: (id) => requests.join(id) });

  function send(text: string): void {
    onFrame?.("out", text);
    connection.send(text);
  }

  function receive(message: ServerMessage): void {
    if (!follows.receive(message)) requests.receive(message);
  }

  function endEverything({ reason, error }: ConnectionLoss): void {
    const closed = {
      code: "closed",
      message: `The connection is closed. ${reason}`.trim(),
      retryable: true,
    } as const;
    requests.endAll(error ?? closed);
    follows.endAll(error && new TroupeRequestError(error));
  }

  function assertNotClosed(): void {
    if (connection.state.name !== "closed") return;
    throw new TroupeRequestError({ code: "closed", message: "This client is closed.", retryable: false });
  }

  /** Sends a request. `retrySeq` is the number of the error after which it should run again, or 0. */
  function ask(
    type: RequestType,
    id: string | undefined,
    placed: ReturnType<typeof own.place<object>>,
    retrySeq: number,
  ): TroupeRequest {
    assertNotClosed();
    const data = retrySeq === 0 ? placed.data : { ...placed.data, retry: retrySeq };
    const frame = JSON.stringify({ type, id, data });
    if (new TextEncoder().encode(frame).byteLength > wireLimits.messageBytes) {
      throw new TroupeRequestError({
        code: "message_too_big",
        message: `The message is larger than ${wireLimits.messageBytes} bytes.`,
        retryable: false,
      });
    }
    const again = (seq: number) => ask(type, id, placed, id === undefined ? 0 : seq);
    const request = requests.ask({ type, id, frame, retrySeq, again });
    if (id !== undefined) follows.noteOwn(id);
    request.done.then(
      ({ data: { conversation_id: conversationId } }) =>
        typeof conversationId === "string" && placed.learn?.(conversationId),
      // The conversation was deleted, or was lost with a server that keeps nothing: the next request starts another.
      ({ code }: TroupeRequestError) => code === "conversation_not_found" && placed.forget?.(),
    );
    connection.connect();
    return request;
  }

  return {
    get state() {
      return connection.state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    connect: () => connection.connect(),
    request(type, data, { id = newId() } = {}) {
      assertNotClosed();
      const name = id === false ? undefined : id;
      const placed =
        type === "openai_chat" ? { data } : own.place(data, isOpen() ? connections : connections + 1);
      return ask(type, name, placed, 0);
    },
    resume(id, { after = 0 } = {}) {
      assertNotClosed();
      const request = requests.resume(id, after);
      connection.connect();
      return request;
    },
    conversation: (conversationId) =>
      readConversation(conversationId, {
        ...{ url, protocols, headers: options.headers ?? {} },
        fetch: options.fetch || globalThis.fetch,
      }),
    follow(conversationId, { after } = {}) {
      assertNotClosed();
      const followed = follows.follow(conversationId, after);
      connection.connect();
      return followed;
    },
    unfollow: (conversationId) => follows.unfollow(conversationId),
    disconnect: () => connection.disconnect(),
    close: () => connection.close(),
  };
}

function setStandardTimer(run: () => void, delayMs: number): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}
