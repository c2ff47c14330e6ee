import OpenAI, { type ClientOptions } from "openai";
import { createEndpoint, type EndpointOptions } from "../upstream/endpoint.ts";
import { parseJson } from "../upstream/event-stream-parser.ts";
import type { UpstreamAnswer, UpstreamFetch } from "../upstream/upstream-call.ts";

export interface SdkClientOptions extends EndpointOptions {
  /** The organization and the project that are billed, if the key belongs to several. */
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
}

/** Max delay of a system timer; a longer one would fire at once. */
const maxTimerMs = 2_147_483_647;

const openaiUrl = "https://api.openai.com/v1";
const adviceWords = {
  keySetting: "OPENAI_API_KEY",
  urlSetting: "OPENAI_BASE_URL",
  api: "Responses API",
};

/** The part of a request that is the same for every call of one path. */
interface RequestHead {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

/** The paths of the calls that answer a request. */
type AnswerPath = "/responses" | "/chat/completions";

/** The SDK's client without the headers of `OPENAI_CUSTOM_HEADERS`, which the SDK adds from the environment. */
class GivenClient extends OpenAI {
  /** The SDK tells this name in its `User-Agent`. */
  static override readonly name = "OpenAI";
  readonly #heads = new Map<AnswerPath, Promise<RequestHead>>();

  constructor(options: ClientOptions) {
    super({ adminAPIKey: null, webhookSecret: null, ...options });
    this._options = { ...this._options, defaultHeaders: options.defaultHeaders };
  }

  /**
   * Posts a request for an event stream as the SDK does, and throws the SDK's error for a refusal. The SDK builds the address and the
   * headers once. Its own way builds them for every request, which takes a twentieth of a short answer.
   */
  async postOver(fetch: UpstreamFetch, path: AnswerPath, body: object): Promise<UpstreamAnswer> {
    const { url, headers } = await this.#headOf(path);
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    if (answer.ok) return answer;
    const text = await answer.text();
    // The SDK takes anything here, and tells the text of a body that is no JSON.
    const told = parseJson(text) as object;
    throw this.makeStatusError(answer.status, told, told ? undefined : text, answer.headers);
  }

  #headOf(path: AnswerPath): Promise<RequestHead> {
    const head = this.#heads.get(path) ?? this.#buildHead(path);
    this.#heads.set(path, head);
    return head;
  }

  async #buildHead(path: AnswerPath): Promise<RequestHead> {
    const { url, req } = await this.buildRequest({ method: "post", path, body: {}, stream: true });
    return { url: new URL(url), headers: Object.fromEntries(req.headers) };
  }
}

/** The official SDK for one address, which makes the requests, and the mask of its errors. */
export function createSdkClient(options: SdkClientOptions) {
  const { apiKey, idleMs } = options;
  const { baseUrl, headers, firstByteMs, toError, toCause } = createEndpoint(options, openaiUrl, adviceWords);
  const sdk = new GivenClient({
    apiKey,
    baseURL: baseUrl,
    organization: options.organization ?? null,
    project: options.project ?? null,
    defaultHeaders: headers,
    maxRetries: 0,
    logLevel: "off",
    // The watchdog enforces the limits; the SDK's own limit must not expire first.
    timeout: Math.min(2 * (firstByteMs + idleMs), maxTimerMs),
    fetch: fetchOver,
  });

  return { sdk, firstByteMs, toError, toCause };
}

/** The SDK passes extra fields of its fetch options on to `fetch`, which finds the request's own fetch function here. */
interface CarriedInit extends RequestInit {
  readonly upstreamFetch?: UpstreamFetch;
}

/** The options of one request. The SDK's own way, a client for each request, makes more than a hundred objects. */
export function over(upstreamFetch: UpstreamFetch) {
  return { fetchOptions: { redirect: "manual", upstreamFetch } } as const;
}

async function fetchOver(input: string | URL | Request, init: CarriedInit = {}): Promise<Response> {
  const { upstreamFetch, method, headers, body, signal } = init;
  if (upstreamFetch === undefined) throw new Error("An SDK request must carry its own fetch function.");
  const answer = await upstreamFetch(input instanceof Request ? input.url : input, {
    headers: Object.fromEntries(new Headers(headers)),
    ...(method === undefined ? {} : { method }),
    ...(typeof body === "string" ? { body } : {}),
    ...(signal == null ? {} : { signal }),
  });
  const { status } = answer;
  const isEmpty = answer.ok || status === 304;
  return new Response(isEmpty ? null : await answer.text(), { status, headers: answer.headers });
}
