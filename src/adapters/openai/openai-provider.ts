import OpenAI, { type ClientOptions } from "openai";
import type { Clock } from "../../ports/clock.ts";
import type { JsonObject } from "../../ports/json.ts";
import {
  Departure,
  type Provider,
  type ProviderCall,
  type ProviderEvent,
  type ProviderRequest,
} from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { placeOf } from "../upstream/place-of.ts";
import { textsIn } from "../upstream/request-mask.ts";
import { createSecretMask } from "../upstream/secret-mask.ts";
import { createUpstreamCall, type UpstreamAgents, type UpstreamFetch } from "../upstream/upstream-call.ts";
import { readBackgroundStream } from "./background-stream.ts";
import { adviceFor } from "./provider-advice.ts";
import { ResponseStream, type ResponseStreamOptions } from "./response-stream.ts";
import { type ResponsePlace, ResponsesMachine, responsePlace } from "./responses-machine.ts";
import { dialectOf, responsesParams } from "./responses-params.ts";

/** How long the cancel of a background response may take: what waits for the call's end waits for it too. */
const longestCancelMs = 10_000;

export interface OpenaiProviderOptions {
  readonly apiKey: string;
  /** Where the API is. Default: OpenAI itself. */
  readonly baseUrl?: string | undefined;
  /** The organization and the project that are billed, if the key belongs to several. */
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
  /** Further headers of every call, instead of those of the same name. Their values are kept out of errors as the key is. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
  /** Max wait for the first event, milliseconds. Default 60 s; 10 min on this machine or a private network, because a model may have to load. */
  readonly firstByteMs?: number | undefined;
  /** Longest silence between two events; keep-alive comments do not count. */
  readonly idleMs: number;
  /** Uniform in [0, 1), for the spread of waits. */
  readonly random: () => number;
  /** Hears of faults that change nothing for the client, such as a refused cancel of a background response. */
  readonly onWarning: (warning: string, cause: unknown) => void;
}

/** What a timer of the system reaches; a longer one would fire at once. */
const longestTimerMs = 2_147_483_647;

const openaiUrl = "https://api.openai.com/v1";
/** A hosted model begins in seconds. One nearby reads its file first, and then a long prompt without a word. */
const usualFirstByteMs = 60_000;
const nearbyFirstByteMs = 600_000;

/** The SDK's client, without the headers of `OPENAI_CUSTOM_HEADERS`, which it adds from the environment by itself. */
class GivenClient extends OpenAI {
  constructor(options: ClientOptions) {
    super({ adminAPIKey: null, webhookSecret: null, ...options });
    this._options = { ...this._options, defaultHeaders: options.defaultHeaders };
  }
}

/** The OpenAI Responses API, or anything that speaks it: requests by the official SDK, the event stream by our own reader. */
export function createOpenaiProvider(options: OpenaiProviderOptions): Provider {
  const { apiKey, baseUrl = openaiUrl, headers = {}, agents, clock, idleMs, random, onWarning } = options;
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
    // The watchdog ends what takes too long; the SDK's own limit only must not come first.
    timeout: Math.min(2 * (firstByteMs + idleMs), longestTimerMs),
    fetch: fetchOver,
  });

  const dialect = dialectOf(sdk.baseURL);

  function toError(thrown: unknown, request: ProviderRequest): TroupeError {
    const error = TroupeError.from(thrown);
    const advice = adviceFor(error, request.model);
    return withoutKey.error(advice === undefined ? error : error.withDetail(advice), () => textsOf(request));
  }

  /** One connection for a request, and how it begins. */
  function read(
    request: ProviderRequest,
    machine: ResponsesMachine,
    signal: AbortSignal,
    open: ResponseStreamOptions["open"],
  ) {
    const masked = (thrown: unknown) => toError(thrown, request);
    return new ResponseStream({ agents, clock, firstByteMs, idleMs, machine, signal, open, toError: masked });
  }

  function create(request: ProviderRequest): ResponseStreamOptions["open"] {
    return (fetch) => sdk.responses.create(responsesParams(request, dialect), over(fetch)).asResponse();
  }

  function continueFrom({ responseId, sequenceNumber }: ResponsePlace): ResponseStreamOptions["open"] {
    const query = { stream: true, starting_after: sequenceNumber } as const;
    return (fetch) => sdk.responses.retrieve(responseId, query, over(fetch)).asResponse();
  }

  function stream(request: ProviderRequest, call: ProviderCall): AsyncIterable<ProviderEvent[]> {
    const { includeReasoning = false } = request;
    if (call.from !== undefined || request.options?.background === true) return goOn(request, call);
    return read(request, new ResponsesMachine({ includeReasoning }), call.signal, create(request));
  }

  /** What runs at the vendor whether somebody is connected or not, or was begun by another process. */
  async function* goOn(
    request: ProviderRequest,
    { signal, from }: ProviderCall,
  ): AsyncGenerator<ProviderEvent[]> {
    signal.throwIfAborted();
    const { includeReasoning = false } = request;
    const runsOn = request.options?.background === true;
    const place = from === undefined ? undefined : readPlace(from);
    const machine = new ResponsesMachine({ includeReasoning, numbered: runsOn, place });
    const begin = () => read(request, machine, signal, create(request));
    try {
      // The object as it was first sent went with the process that had it.
      if (place !== undefined) yield [{ type: "started", response: { id: place.responseId } }];
      yield* runsOn
        ? readBackgroundStream({
            ...{ clock, random, machine, signal, create: begin },
            continueFrom: (behind) => read(request, machine, signal, continueFrom(behind)),
          })
        : begin();
    } catch (thrown) {
      signal.throwIfAborted();
      throw toError(thrown, request);
    } finally {
      const isLeft = signal.reason instanceof Departure;
      if (signal.aborted && !isLeft && runsOn && machine.responseId !== undefined && !machine.ended)
        await cancelBackground(machine.responseId, request);
    }
  }

  /** A response that runs in the background does not stop with its connection. */
  async function cancelBackground(id: string, request: ProviderRequest): Promise<void> {
    const patience = new AbortController();
    const tooLong = new AbortController();
    void clock.sleep(longestCancelMs, patience.signal).then(() => tooLong.abort());
    const call = createUpstreamCall(agents);
    try {
      await sdk.responses.cancel(id, { signal: tooLong.signal, ...over(call.fetch) }).asResponse();
      call.release();
    } catch (cause) {
      onWarning(
        "A background response could not be cancelled.",
        withoutKey.cause(cause, () => textsOf(request)),
      );
    } finally {
      patience.abort();
    }
  }

  return { name: "openai", simulated: false, stream };
}

/** What of a request an upstream may quote and nobody else may read. */
function textsOf({
  messages,
  instructions = "",
  note = "",
  options = {},
  tools = [],
}: ProviderRequest): string[] {
  return [...messages.map(({ text }) => text), instructions, note, ...textsIn(options), ...textsIn(tools)];
}

/** With what one request goes over; the SDK hands on to `fetch` whatever else its caller says. */
interface CarriedInit extends RequestInit {
  readonly upstreamFetch?: UpstreamFetch;
}

/** Options of one request. A client of its own for each, as the SDK has it, is more than a hundred objects. */
function over(upstreamFetch: UpstreamFetch) {
  return { fetchOptions: { redirect: "manual", upstreamFetch } } as const;
}

const fetchOver: UpstreamFetch = (input, init: CarriedInit = {}) => {
  const { upstreamFetch } = init;
  if (upstreamFetch === undefined) throw new Error("A request of the SDK must say what it goes over.");
  return upstreamFetch(input, init);
};

/** What this provider wrote as its checkpoint, maybe in another version. */
function readPlace(from: JsonObject): ResponsePlace {
  const read = responsePlace.safeParse(from);
  if (!read.success) throw new TroupeError("interrupted", { cause: read.error });
  return read.data;
}
