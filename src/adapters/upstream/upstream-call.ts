import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import { pipeline, type Readable } from "node:stream";
import { urlToHttpOptions } from "node:url";
import zlib from "node:zlib";
import { type ChunkSkimmer, FastReads } from "./fast/fast-reads.ts";
import { readNoProxy } from "./no-proxy.ts";
import { type BytesReader, type BytesSink, OnDemandReader } from "./read-on-demand.ts";

/** Error bodies are cut to this length: only their code and message matter. */
const maxErrorBytes = 65_536;
/** A finished answer's connection is kept for the next call if the answer ends within this time, and closed otherwise. */
const maxDrainMs = 1_000;

/** The call was never sent, because no connection was made. */
export class NoConnectionError extends Error {
  override readonly name = "NoConnectionError";
}

/** The response is not an HTTP answer to this call, such as a switch to another protocol. */
export class NotAnAnswerError extends Error {
  override readonly name = "NotAnAnswerError";
}

/** The part of `fetch` that calls need, without the objects that a `fetch` makes for each call. */
export type UpstreamFetch = (url: string | URL, init?: UpstreamInit) => Promise<UpstreamAnswer>;

interface UpstreamInit {
  /** Default `GET`. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** An abort closes the connection before the answer has come. */
  readonly signal?: AbortSignal;
}

/** An answer to a call. The body of a successful one is read by the call's `read`. */
export class UpstreamAnswer {
  readonly status: number;
  readonly #message: Pick<IncomingMessage, "headers" | "headersDistinct">;
  readonly #refusal: string;

  /** `refusal`: the start of the body of an answer that is not successful. */
  constructor(status: number, message: Pick<IncomingMessage, "headers" | "headersDistinct">, refusal = "") {
    this.status = status;
    this.#message = message;
    this.#refusal = refusal;
  }

  get ok(): boolean {
    return this.status <= 299;
  }

  get contentType(): string | undefined {
    return this.#message.headers["content-type"];
  }

  /** Made when it is asked for: only refusals need more than the content type. */
  get headers(): Headers {
    const headers = new Headers();
    for (const [name, values] of Object.entries(this.#message.headersDistinct)) {
      for (const value of values ?? []) headers.append(name, value);
    }
    return headers;
  }

  async text(): Promise<string> {
    return this.#refusal;
  }
}

/** One call of an upstream, and the connection that its answer comes over. */
export interface UpstreamCall {
  /** The call may have been sent, because a connection was made. */
  isConnected(): boolean;
  /** Makes the call. A successful answer comes without its body: see `read`. */
  readonly fetch: UpstreamFetch;
  /** Reads the body of a successful answer, decompressed. A caller that stops early must call `release` or `close`. */
  read(sink: BytesSink): BytesReader;
  /** Lets the connection serve later calls if the answer ends soon, and closes it otherwise. */
  release(): void;
  /** Closes the connection; settles when it is closed. */
  close(): Promise<void>;
}

/**
 * One HTTP call. It exposes two things that `fetch` hides: the raw body of a successful answer, and when the connection is closed.
 * Redirects are not followed, so no credential reaches another host.
 */
export class HttpCall implements UpstreamCall {
  readonly #agents: UpstreamAgents;
  readonly #closed = Promise.withResolvers<void>();
  #request: ClientRequest | undefined;
  #message: IncomingMessage | undefined;
  #unpacked: Readable | undefined;
  #skimmer: ChunkSkimmer | undefined;
  #mustClose = false;
  #isConnected = false;

  constructor(agents: UpstreamAgents) {
    this.#agents = agents;
  }

  isConnected(): boolean {
    return this.#isConnected;
  }

  readonly fetch: UpstreamFetch = async (url, init = {}) => {
    const { signal } = init;
    const abort = () => this.#request?.destroy();
    signal?.throwIfAborted();
    if (this.#mustClose) throw new Error("The call was closed before it began.");
    signal?.addEventListener("abort", abort, { once: true });
    try {
      this.#message = await this.#send(url instanceof URL ? url : new URL(url), init);
      const { statusCode: status = 0 } = this.#message;
      if (status >= 200 && status <= 299) return new UpstreamAnswer(status, this.#message);
      return await readRefusal(this.#message);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  };

  #send(url: URL, { method = "GET", headers = {}, body }: UpstreamInit): Promise<IncomingMessage> {
    const secure = url.protocol === "https:";
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const agent = this.#agents.agentFor(url);
    const outgoing = (secure ? https : http).request({ ...partsOf(url), method, headers, agent });
    this.#request = outgoing;
    outgoing.on("socket", (socket) => {
      this.#skimmer = this.#agents.fastReads.open(socket);
      this.#isConnected = outgoing.reusedSocket;
      if (this.#isConnected) return;
      socket.once(secure ? "secureConnect" : "connect", () => {
        this.#isConnected = true;
      });
    });
    outgoing.on("response", (answer) => {
      this.#skimmer?.accept(answer);
      resolve(answer);
    });
    // Without a listener, Node drops the connection and emits nothing more.
    outgoing.on("upgrade", (_answer, socket) => {
      reject(new NotAnAnswerError("The upstream switches to another protocol."));
      this.#skimmer?.stop();
      socket.destroy();
    });
    // Later errors of the connection reach the reader of the answer; this listener keeps them from being thrown as well. A TLS handshake
    // that the server refuses looks like a reset, but no connection was made that could break.
    outgoing.on("error", (cause) =>
      reject(this.#isConnected ? cause : new NoConnectionError("No connection came about.", { cause })),
    );
    outgoing.on("close", () => {
      this.#skimmer?.stop();
      // A closed connection always ends a call without an answer, whether or not it had an error.
      reject(Object.assign(new Error("The connection closed without an answer."), { code: "ECONNRESET" }));
      this.#closed.resolve();
    });
    outgoing.setNoDelay(true);
    // As bytes: with a text, Node keeps its head as a chain of 50 strings for as long as the answer streams.
    outgoing.end(body === undefined ? undefined : Buffer.from(body));
    return promise;
  }

  read(sink: BytesSink): BytesReader {
    if (this.#message === undefined) throw new Error("There is no answer yet.");
    this.#unpacked = unpack(this.#message);
    // Decompressed bytes arrive later than they were read; by then the connection may serve another call.
    const skimmer = this.#unpacked === this.#message ? this.#skimmer : undefined;
    return new OnDemandReader({ stream: this.#unpacked, sink, skimmer });
  }

  release(): void {
    const message = this.#message;
    if (message === undefined || message.closed) return;
    const timer = setTimeout(() => this.#request?.destroy(), maxDrainMs);
    message.once("close", () => clearTimeout(timer));
    (this.#unpacked ?? message).resume();
  }

  async close(): Promise<void> {
    this.#mustClose = true;
    if (this.#request === undefined) return;
    this.#request.destroy();
    await this.#closed.promise;
  }
}

/** An answer that refuses a call, with the first 64 KiB of its body. */
export async function readRefusal(message: IncomingMessage): Promise<UpstreamAnswer> {
  const { statusCode: status = 0 } = message;
  if (status < 200 || status > 599) throw new NotAnAnswerError(`The answer's status is ${status}.`);
  return new UpstreamAnswer(status, message, await readErrorBody(unpack(message)));
}

/** The parts of each `URL` that is in use. Node takes one apart for every call. */
const knownParts = new WeakMap<URL, http.RequestOptions>();

function partsOf(url: URL): http.RequestOptions {
  const parts = knownParts.get(url) ?? urlToHttpOptions(url);
  knownParts.set(url, parts);
  return parts;
}

async function readErrorBody(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxErrorBytes) break;
  }
  return Buffer.concat(chunks).toString("utf8", 0, maxErrorBytes);
}

function unpack(message: IncomingMessage): Readable {
  const unpacking = unpacker(message.headers["content-encoding"]);
  // The consumer of the last stream sees every error; without the callback `pipeline` would throw them again.
  return unpacking === undefined ? message : pipeline(message, unpacking, () => undefined);
}

function unpacker(encoding: string | undefined) {
  const flush = zlib.constants.Z_SYNC_FLUSH;
  if (encoding === "gzip" || encoding === "x-gzip") return zlib.createGunzip({ flush });
  if (encoding === "deflate") return zlib.createInflate({ flush });
  if (encoding === "br") return zlib.createBrotliDecompress();
  return undefined;
}

/** The proxies of calls, each as `http://host:port`, with a user name and password if the proxy wants them. */
export interface Proxies {
  /** For `http:` addresses. */
  readonly http?: string | undefined;
  /** For `https:` addresses. */
  readonly https?: string | undefined;
  /** For addresses of both kinds that have no proxy of their own. */
  readonly all?: string | undefined;
  /** Addresses to call directly, in the form of `NO_PROXY`. Loopback is always called directly. */
  readonly none?: string | undefined;
}

const kept = { keepAlive: true, scheduling: "lifo" } as const;

/** Connections to upstreams, direct or over a proxy, kept for later calls. The environment is not read. */
export function createUpstreamAgents(proxies: Proxies = {}, fastReads = new FastReads()) {
  const noProxy = readNoProxy(proxies.none ?? "");
  const proxyOf = {
    "http:": proxies.http ?? proxies.all,
    "https:": proxies.https ?? proxies.all,
  } as const;
  const direct = { "http:": new http.Agent(kept), "https:": new https.Agent(kept) };
  const proxied = {
    "http:": over(proxyOf["http:"], (proxyEnv) => new http.Agent({ ...kept, proxyEnv })),
    "https:": over(proxyOf["https:"], (proxyEnv) => new https.Agent({ ...kept, proxyEnv })),
  };
  const schemeOf = (url: URL) => (url.protocol === "https:" ? "https:" : "http:");
  const further = new DisposableStack();
  const isProxied = (url: URL) => proxied[schemeOf(url)] !== undefined && !noProxy.covers(url);

  return {
    /** Opens the fast way to read a connection. */
    fastReads,
    /** The agents without a proxy. */
    http: direct["http:"],
    https: direct["https:"],
    /** The agent that makes connections to this address. */
    agentFor(url: URL): http.Agent {
      const scheme = schemeOf(url);
      return (isProxied(url) ? proxied[scheme] : undefined) ?? direct[scheme];
    },
    /** Host and port of the proxy for this address, without its credentials. */
    proxyFor(url: URL): string | undefined {
      const proxy = proxyOf[schemeOf(url)];
      return proxy === undefined || !isProxied(url) ? undefined : new URL(proxy).host;
    },
    /** The passwords of the proxies, in each form that an error may quote. */
    secrets: Object.values(proxyOf).flatMap(secretsIn),
    /** Closes further connections together with these. */
    own: (close: () => void) => further.defer(close),
    [Symbol.dispose]() {
      further.dispose();
      for (const agent of [...Object.values(direct), ...Object.values(proxied)]) agent?.destroy();
    },
  };
}

export type UpstreamAgents = ReturnType<typeof createUpstreamAgents>;

function over<T>(proxy: string | undefined, make: (proxyEnv: NodeJS.ProcessEnv) => T): T | undefined {
  return proxy === undefined ? undefined : make({ HTTP_PROXY: proxy, HTTPS_PROXY: proxy });
}

/** The password as written in the address and as sent. */
function secretsIn(proxy: string | undefined): string[] {
  if (proxy === undefined) return [];
  const { username, password } = new URL(proxy);
  if (password === "") return [];
  const plain = decodeURIComponent(password);
  return [password, plain, Buffer.from(`${decodeURIComponent(username)}:${plain}`).toString("base64")];
}
