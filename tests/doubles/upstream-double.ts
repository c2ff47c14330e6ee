import { createServer, type Socket } from "node:net";
import { aborted, type Connection, createConnection } from "./connection.ts";
import { createRequestReader, NotHttpError, type ReceivedMessage } from "./request-reader.ts";
import type { Script } from "./script.ts";
import { playScript } from "./script-player.ts";
import { acceptUpgrade, isUpgrade, playOverSocket } from "./socket-player.ts";
import {
  answerByDefault,
  answerSideRequest,
  isCall,
  isCancel,
  type Retrieval,
  responseNotFound,
  retrievalOf,
} from "./upstream-routes.ts";

/** One request as the double saw it. It is updated while the request is answered. */
export interface RecordedRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, or the text itself if it is not JSON; `undefined` without a body. */
  readonly body: unknown;
  /** When the whole request had arrived, on the scale of `performance.now()`. */
  readonly receivedAtMs: number;
  /** When the client or both sides closed its connection; `undefined` while it is open. */
  readonly closedAtMs: number | undefined;
  /** Bytes of the answer, including head and framing, that the kernel has taken. */
  readonly bytesWritten: number;
  /** True once a whole answer has been sent. */
  readonly finished: boolean;
}

export type Responder = (request: RecordedRequest, index: number) => Script;
export type RetrievalResponder = (retrieval: Retrieval, index: number) => Script;

export interface UpstreamDouble extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`, in the form of `OPENAI_BASE_URL`. */
  readonly baseUrl: string;
  /** The model calls (every POST except the side routes) in order of arrival. */
  readonly requests: readonly RecordedRequest[];
  /** `GET /v1/responses/{id}` in order of arrival. */
  readonly retrievals: readonly RecordedRequest[];
  /** Number of model calls so far. */
  readonly calls: number;
  /** The upgrades to a WebSocket, in order of arrival. */
  readonly upgrades: readonly RecordedRequest[];
  /** The requests that the double answers by itself: `GET /v1/models`, `POST /v1/responses/{id}/cancel`, 404 for the rest. */
  readonly sideRequests: readonly RecordedRequest[];
  /** Number of connections that their client has not closed yet, including idle kept-alive ones. */
  openConnections(): number;
  /** Sets how calls are answered from now on: all alike, or by call and its index from 0. Default: a short answer. */
  respond(script: Script | Responder): void;
  /** Sets the answer to upgrades to a WebSocket from now on. */
  refuseUpgrades(script: Script): void;
  /** Sets the answer to requests for an existing response from now on. Default: 404. */
  respondToRetrieval(responder: RetrievalResponder): void;
  /** Sets the answer to cancels of a response from now on. Default: it is cancelled. */
  respondToCancels(script: Script | undefined): void;
  /** Settles when the client has closed the connection that carried the request. */
  closed(request: RecordedRequest): Promise<void>;
  /** Settles with the n-th call, counted from 1, once the whole call has arrived. */
  received(count: number): Promise<RecordedRequest>;
  /** Ends every connection at once, as an upstream does with connections that have been open long enough. */
  hangUp(): void;
}

export interface UpstreamDoubleOptions {
  /** False: every answer says `connection: close`, so each call has its own connection. Default true. */
  readonly keepAlive?: boolean;
  /** The list that `GET /v1/models` returns. Default `["gpt-4o-mini"]`. */
  readonly models?: readonly string[];
  /** Whether upgrades to a WebSocket are accepted, so that calls come over them too. Default: they get 404. */
  readonly webSocket?: boolean;
  /** False: calls are counted but not kept, for runs so long that they would fill the memory. Default true. */
  readonly keepsRequests?: boolean;
}

type Recording = { -readonly [Key in keyof RecordedRequest]: RecordedRequest[Key] };

/**
 * Starts a raw server on a free port of 127.0.0.1 that plays the OpenAI Responses API from scripts. Disposing cuts every
 * connection, and throws the errors of the scripts, if there were any.
 */
export async function createUpstreamDouble(options: UpstreamDoubleOptions = {}): Promise<UpstreamDouble> {
  const { keepAlive = true, models = ["gpt-4o-mini"], keepsRequests = true } = options;
  const upgrades: Recording[] = [];
  const requests: Recording[] = [];
  const sideRequests: Recording[] = [];
  const retrievals: Recording[] = [];
  const carriers = new WeakMap<RecordedRequest, Connection>();
  const connections = new Set<Connection>();
  const arrivals = new Map<number, PromiseWithResolvers<RecordedRequest>>();
  const serving = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let responder: Responder = answerByDefault;
  let retrievalResponder: RetrievalResponder = responseNotFound;
  let upgradeRefusal: Script | undefined;
  let cancelScript: Script | undefined;
  let calls = 0;

  const record = (message: ReceivedMessage, connection: Connection): Recording => {
    const recording = toRecording(message);
    if (!keepsRequests) return recording;
    carriers.set(recording, connection);
    const noteClose = (): void => {
      recording.closedAtMs = performance.now();
    };
    connection.clientGone.addEventListener("abort", noteClose, { once: true });
    return recording;
  };

  const noteCall = (recording: Recording): Script => {
    calls += 1;
    if (keepsRequests) requests.push(recording);
    arrivals.get(calls)?.resolve(recording);
    return responder(recording, calls - 1);
  };

  const chooseScript = (recording: Recording): Script => {
    const retrieval = retrievalOf(recording);
    if (retrieval !== undefined) {
      retrievals.push(recording);
      return retrievalResponder(retrieval, retrievals.length - 1);
    }
    if (isUpgrade(recording)) {
      upgrades.push(recording);
      return upgradeRefusal ?? answerSideRequest(recording, models);
    }
    if (!isCall(recording)) {
      sideRequests.push(recording);
      return (isCancel(recording) ? cancelScript : undefined) ?? answerSideRequest(recording, models);
    }
    return noteCall(recording);
  };

  const answer = async (script: Script, recording: Recording, connection: Connection): Promise<void> => {
    if (connection.clientGone.aborted) return;
    const onWritten = (bytes: number): void => {
      recording.bytesWritten += bytes;
    };
    const ending = await playScript(script, connection, { keepAlive, onWritten });
    recording.finished = ending === "answered" || ending === "ended";
  };

  const accept = (socket: Socket): void => {
    const connection = createConnection(socket);
    const reader = createRequestReader();
    let answers = Promise.resolve();
    connections.add(connection);
    const serve = (task: () => Promise<void>): void => {
      answers = answers.then(task).catch((error: unknown) => {
        failures.push(error);
        connection.destroy();
      });
      serving.add(answers);
      const done = answers;
      void done.then(() => serving.delete(done));
    };
    connection.closed.addEventListener("abort", () => connections.delete(connection), { once: true });
    connection.clientGone.addEventListener("abort", () => serve(async () => connection.end()), {
      once: true,
    });
    const upgrade = (message: ReceivedMessage): void => {
      const { method, path, headers } = message;
      upgrades.push(record(message, connection));
      const opened = acceptUpgrade(message, socket);
      opened.on("message", (body: Buffer) => {
        const recording = record({ method, path, headers, body }, connection);
        const script = noteCall(recording);
        serve(async () => {
          const onWritten = (bytes: number): void => {
            recording.bytesWritten += bytes;
          };
          const ending = await playOverSocket(script, opened, { connection, keepAlive, onWritten });
          recording.finished = ending === "answered" || ending === "ended";
        });
      });
    };
    socket.on("data", (received) => {
      try {
        for (const message of reader.push(received)) {
          if (options.webSocket === true && upgradeRefusal === undefined && isUpgrade(message)) {
            upgrade(message);
            continue;
          }
          const recording = record(message, connection);
          const script = chooseScript(recording);
          serve(() => answer(script, recording, connection));
        }
      } catch (error) {
        // Either the responder is wrong, which the test must learn, or the peer does not speak HTTP.
        if (!(error instanceof NotHttpError)) failures.push(error);
        connection.destroy();
      }
    });
  };

  const hangUp = (): void => {
    for (const connection of connections) connection.destroy();
  };

  const server = createServer({ allowHalfOpen: true }, accept);
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the double has no port");

  return {
    baseUrl: `http://127.0.0.1:${address.port}/v1`,
    requests,
    sideRequests,
    retrievals,
    upgrades,
    get calls() {
      return calls;
    },
    openConnections: () => [...connections].filter(({ clientGone }) => !clientGone.aborted).length,
    respond(script) {
      responder = typeof script === "function" ? script : () => script;
    },
    refuseUpgrades(script) {
      upgradeRefusal = script;
    },
    respondToRetrieval(next) {
      retrievalResponder = next;
    },
    respondToCancels(script) {
      cancelScript = script;
    },
    closed(request) {
      const connection = carriers.get(request);
      if (connection === undefined) throw new Error("this request did not come to this double");
      return aborted(connection.clientGone);
    },
    received(count) {
      const already = requests[count - 1];
      if (already !== undefined) return Promise.resolve(already);
      const arrival = arrivals.get(count) ?? Promise.withResolvers<RecordedRequest>();
      arrivals.set(count, arrival);
      return arrival.promise;
    },
    hangUp,
    async [Symbol.asyncDispose]() {
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
      hangUp();
      await stopped;
      await Promise.all(serving);
      if (failures.length > 0) throw new AggregateError(failures, "a script of the upstream double failed");
    },
  };
}

function toRecording({ method, path, headers, body }: ReceivedMessage): Recording {
  return {
    method,
    path,
    headers,
    body: body.length === 0 ? undefined : parseBody(body.toString("utf8")),
    receivedAtMs: performance.now(),
    closedAtMs: undefined,
    bytesWritten: 0,
    finished: false,
  };
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
