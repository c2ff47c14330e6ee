import OpenAI, { type ClientOptions } from "openai";
import { textsOfItems } from "../../ports/item.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { placeOf } from "../upstream/place-of.ts";
import { createSecretMask, textsIn } from "../upstream/secret-mask.ts";
import type { UpstreamAgents, UpstreamFetch } from "../upstream/upstream-call.ts";
import { adviceFor } from "./provider-advice.ts";

export interface SdkClientOptions {
  readonly apiKey: string;
  /** Base address of the API. Default: OpenAI itself. */
  readonly baseUrl?: string | undefined;
  /** The organization and the project that are billed, if the key belongs to several. */
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
  /** Extra headers of every call, which replace headers of the same name. Their values are kept out of errors, like the key. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly agents: UpstreamAgents;
  /** Max wait for the first event, milliseconds. Default 60 s; 10 min on this machine or a private network, because a model may have to load. */
  readonly firstByteMs?: number | undefined;
  /** Max silence between two events, milliseconds. Keep-alive comments do not count as events. */
  readonly idleMs: number;
}

/** Max delay of a system timer; a longer one would fire at once. */
const maxTimerMs = 2_147_483_647;

const openaiUrl = "https://api.openai.com/v1";
/** A hosted model starts within seconds. A local one may first load its file and then read a long prompt in silence. */
const usualFirstByteMs = 60_000;
const nearbyFirstByteMs = 600_000;

/** The SDK's client without the headers of `OPENAI_CUSTOM_HEADERS`, which the SDK adds from the environment. */
class GivenClient extends OpenAI {
  constructor(options: ClientOptions) {
    super({ adminAPIKey: null, webhookSecret: null, ...options });
    this._options = { ...this._options, defaultHeaders: options.defaultHeaders };
  }
}

/** The official SDK for one address, which makes the requests, and the mask of its errors. */
export function createSdkClient(options: SdkClientOptions) {
  const { apiKey, baseUrl = openaiUrl, headers = {}, agents, idleMs } = options;
  const isNearby = placeOf(new URL(baseUrl)) !== "internet";
  const { firstByteMs = isNearby ? nearbyFirstByteMs : usualFirstByteMs } = options;
  const withoutKey = createSecretMask(apiKey, ...Object.values(headers), ...agents.secrets);
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

  return {
    sdk,
    firstByteMs,
    /** The error of a call, with advice to the operator and without secrets or the texts of the request. */
    toError(thrown: unknown, request: ProviderRequest): TroupeError {
      const error = TroupeError.from(thrown);
      const advice = adviceFor(error, request.model);
      const advised = advice === undefined ? error : error.withDetail(advice);
      return withoutKey.error(advised, () => textsOf(request));
    },
    /** A cause for the log, without secrets or the texts of the request. */
    toCause: (cause: unknown, request: ProviderRequest): unknown =>
      withoutKey.cause(cause, () => textsOf(request)),
  };
}

/** The texts of a request. An upstream may quote them, and they must stay out of errors and logs. */
function textsOf({
  input,
  instructions = "",
  note = "",
  options = {},
  tools = [],
  functions = [],
}: ProviderRequest): string[] {
  const parameters = [options, tools, functions].flatMap((value) => textsIn(value));
  return [...textsOfItems(input), instructions, note, ...parameters];
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
