import OpenAI, { type ClientOptions } from "openai";
import { createEndpoint, type EndpointOptions } from "../upstream/endpoint.ts";
import type { UpstreamFetch } from "../upstream/upstream-call.ts";

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

/** The SDK's client without the headers of `OPENAI_CUSTOM_HEADERS`, which the SDK adds from the environment. */
class GivenClient extends OpenAI {
  constructor(options: ClientOptions) {
    super({ adminAPIKey: null, webhookSecret: null, ...options });
    this._options = { ...this._options, defaultHeaders: options.defaultHeaders };
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

const fetchOver: UpstreamFetch = (input, init: CarriedInit = {}) => {
  const { upstreamFetch } = init;
  if (upstreamFetch === undefined) throw new Error("An SDK request must carry its own fetch function.");
  return upstreamFetch(input, init);
};
