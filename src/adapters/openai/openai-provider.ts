import { createHash } from "node:crypto";
import OpenAI, { type ClientOptions } from "openai";
import type { Clock } from "../../ports/clock.ts";
import { textsOfItems } from "../../ports/item.ts";
import type { JsonObject } from "../../ports/json.ts";
import {
  Departure,
  type Provider,
  type ProviderCall,
  type ProviderEvent,
  type ProviderRequest,
} from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { AnswerStream, type AnswerStreamOptions } from "../upstream/answer-stream.ts";
import { placeOf } from "../upstream/place-of.ts";
import { createSecretMask, textsIn } from "../upstream/secret-mask.ts";
import { createUpstreamCall, type UpstreamAgents, type UpstreamFetch } from "../upstream/upstream-call.ts";
import { readBackgroundStream } from "./background-stream.ts";
import { fromSdkError } from "./openai-errors.ts";
import { adviceFor } from "./provider-advice.ts";
import { openaiName } from "./responses-items.ts";
import { type ResponsePlace, ResponsesMachine, responsePlace } from "./responses-machine.ts";
import { dialectOf, responsesParams } from "./responses-params.ts";

/** Max time for the cancel of a background response; the call does not end before it. */
const maxCancelMs = 10_000;

interface OpenaiProviderOptions {
  readonly apiKey: string;
  /** Base address of the API. Default: OpenAI itself. */
  readonly baseUrl?: string | undefined;
  /** The organization and the project that are billed, if the key belongs to several. */
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
  /** Extra headers of every call, which replace headers of the same name. Their values are kept out of errors, like the key. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
  /** Max wait for the first event, milliseconds. Default 60 s; 10 min on this machine or a private network, because a model may have to load. */
  readonly firstByteMs?: number | undefined;
  /** Max silence between two events, milliseconds. Keep-alive comments do not count as events. */
  readonly idleMs: number;
  /** Uniform in [0, 1), to spread the waits. */
  readonly random: () => number;
  /** Called for faults that change nothing for the client, such as a refused cancel of a background response. */
  readonly onWarning: (warning: string, cause: unknown) => void;
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

/**
 * A provider for the OpenAI Responses API, or any server that speaks it. The official SDK makes the requests; our own reader reads the
 * event stream.
 */
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
    // The watchdog enforces the limits; the SDK's own limit must not expire first.
    timeout: Math.min(2 * (firstByteMs + idleMs), maxTimerMs),
    fetch: fetchOver,
  });

  const dialect = dialectOf(sdk.baseURL);
  const account = digestOf(sdk.baseURL, sdk.organization, sdk.project, apiKey);
  const originOf = ({ model }: ProviderRequest) => `${account} ${model}`;

  function toError(thrown: unknown, request: ProviderRequest): TroupeError {
    const error = TroupeError.from(thrown);
    const advice = adviceFor(error, request.model);
    return withoutKey.error(advice === undefined ? error : error.withDetail(advice), () => textsOf(request));
  }

  /** The stream of one connection; `open` makes its request. */
  function read(
    request: ProviderRequest,
    machine: ResponsesMachine,
    signal: AbortSignal,
    open: AnswerStreamOptions["open"],
  ) {
    const masked = (thrown: unknown) => toError(thrown, request);
    return new AnswerStream({
      ...{ agents, clock, firstByteMs, idleMs, machine, signal, open, toError: masked },
      fromOpenFault: (thrown) => fromSdkError(thrown, clock.wallTimeMs()),
    });
  }

  function create(request: ProviderRequest): AnswerStreamOptions["open"] {
    const params = () => responsesParams(request, dialect, originOf(request));
    return (fetch) => sdk.responses.create(params(), over(fetch)).asResponse();
  }

  function continueFrom({ responseId, sequenceNumber }: ResponsePlace): AnswerStreamOptions["open"] {
    const query = { stream: true, starting_after: sequenceNumber } as const;
    return (fetch) => sdk.responses.retrieve(responseId, query, over(fetch)).asResponse();
  }

  function stream(request: ProviderRequest, call: ProviderCall): AsyncIterable<ProviderEvent[]> {
    const { includeReasoning = false } = request;
    if (call.from !== undefined || request.options?.background === true) return goOn(request, call);
    const machine = new ResponsesMachine({ includeReasoning, origin: originOf(request) });
    return read(request, machine, call.signal, create(request));
  }

  /** Reads a response that runs at the vendor with or without a connection, or that another process started. */
  async function* goOn(
    request: ProviderRequest,
    { signal, from }: ProviderCall,
  ): AsyncGenerator<ProviderEvent[]> {
    signal.throwIfAborted();
    const { includeReasoning = false } = request;
    const runsOn = request.options?.background === true;
    const place = from === undefined ? undefined : readPlace(from);
    const origin = originOf(request);
    const machine = new ResponsesMachine({ includeReasoning, origin, numbered: runsOn, place });
    const begin = () => read(request, machine, signal, create(request));
    try {
      // The response object as first sent was lost with the process that received it.
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

  /** Cancels a background response, because it does not stop with its connection. */
  async function cancelBackground(id: string, request: ProviderRequest): Promise<void> {
    const patience = new AbortController();
    const tooLong = new AbortController();
    void clock.sleep(maxCancelMs, patience.signal).then(() => tooLong.abort());
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

  return { name: openaiName, simulated: false, stream };
}

/** A short digest, from which the key cannot be found. */
function digestOf(...parts: readonly (string | null)[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
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
function over(upstreamFetch: UpstreamFetch) {
  return { fetchOptions: { redirect: "manual", upstreamFetch } } as const;
}

const fetchOver: UpstreamFetch = (input, init: CarriedInit = {}) => {
  const { upstreamFetch } = init;
  if (upstreamFetch === undefined) throw new Error("An SDK request must carry its own fetch function.");
  return upstreamFetch(input, init);
};

/** Reads a checkpoint of this provider, which may come from another version of it. */
function readPlace(from: JsonObject): ResponsePlace {
  const read = responsePlace.safeParse(from);
  if (!read.success) throw new TroupeError("interrupted", { cause: read.error });
  return read.data;
}
