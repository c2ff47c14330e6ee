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
import { AnswerStream, type AnswerStreamOptions } from "../upstream/answer-stream.ts";
import { digestOf } from "../upstream/sent-items.ts";
import { HttpCall } from "../upstream/upstream-call.ts";
import { readBackgroundStream } from "./background-stream.ts";
import { openaiName } from "./merged-output.ts";
import { fromSdkError } from "./openai-errors.ts";
import { type ResponsePlace, ResponsesMachine, responsePlace } from "./responses-machine.ts";
import { dialectOf, ignoredByResponses, responsesParams } from "./responses-params.ts";
import { createSdkClient, over, type SdkClientOptions } from "./sdk-client.ts";
import { createSocketTransport, type SocketAttempt } from "./websocket/socket-transport.ts";

/** Max time for the cancel of a background response; the call does not end before it. */
const maxCancelMs = 10_000;

interface OpenaiProviderOptions extends SdkClientOptions {
  readonly clock: Clock;
  /** Default `http`. `websocket` calls over HTTP if the server has no WebSocket; background responses always do. */
  readonly transport?: "http" | "websocket" | undefined;
  /** Uniform in [0, 1), to spread the waits. */
  readonly random: () => number;
  /** Called for faults that change nothing for the client, such as a refused cancel of a background response. */
  readonly onWarning: (warning: string, cause: unknown) => void;
}

/**
 * A provider for the OpenAI Responses API, or any server that speaks it. The official SDK makes the requests; our own reader reads the
 * event stream.
 */
export function createOpenaiProvider(options: OpenaiProviderOptions): Provider {
  const { apiKey, agents, clock, idleMs, random, transport, onWarning } = options;
  const { sdk, firstByteMs, toError, toCause } = createSdkClient(options);
  const dialect = dialectOf(sdk.baseURL);
  const account = digestOf(sdk.baseURL, sdk.organization, sdk.project, apiKey);
  const sockets = transport === "websocket" ? createSocketTransport({ agents, clock, onWarning }) : undefined;
  const originOf = ({ model }: ProviderRequest) => `${account} ${model}`;

  /** The stream of one connection; `open` makes its request. */
  function read(
    request: ProviderRequest,
    machine: ResponsesMachine,
    signal: AbortSignal,
    open: AnswerStreamOptions["open"],
    call?: AnswerStreamOptions["call"],
  ) {
    const masked = (thrown: unknown) => toError(thrown, request);
    return new AnswerStream({
      ...{ agents, call, clock, firstByteMs, idleMs, machine, signal, open, toError: masked },
      ignored: () => ignoredByResponses(request),
      fromOpenFault: (thrown) => fromSdkError(thrown, clock.wallTimeMs()),
    });
  }

  function create(request: ProviderRequest): AnswerStreamOptions["open"] {
    const params = () => responsesParams(request, dialect, originOf(request));
    return (fetch) => sdk.postOver(fetch, "/responses", params());
  }

  /** The same over a socket, on which every answer is streamed. */
  function createOverSocket(request: ProviderRequest): AnswerStreamOptions["open"] {
    const params = () => {
      const { stream: _, background: __, ...rest } = responsesParams(request, dialect, originOf(request));
      return rest;
    };
    return (fetch) => sdk.postOver(fetch, "/responses", params());
  }

  function continueFrom({ responseId, sequenceNumber }: ResponsePlace): AnswerStreamOptions["open"] {
    const query = { stream: true, starting_after: sequenceNumber } as const;
    return async (fetch) => {
      const { headers } = await sdk.responses.retrieve(responseId, query, over(fetch)).asResponse();
      return { contentType: headers.get("content-type") ?? undefined };
    };
  }

  function stream(request: ProviderRequest, call: ProviderCall): AsyncIterable<ProviderEvent[]> {
    const { includeReasoning = false } = request;
    if (call.from !== undefined || request.options?.background === true) return goOn(request, call);
    const origin = originOf(request);
    const overHttp = () =>
      read(request, new ResponsesMachine({ includeReasoning, origin }), call.signal, create(request));
    const overSocket = ({ call: carrier, readFailure }: SocketAttempt) => {
      const machine = new ResponsesMachine({ includeReasoning, origin, readFailure });
      return read(request, machine, call.signal, createOverSocket(request), carrier);
    };
    return sockets?.stream({ overHttp, overSocket }) ?? overHttp();
  }

  /** Reads a response that runs at the vendor with or without a connection, or that another process started. */
  async function* goOn(
    request: ProviderRequest,
    { signal, from }: ProviderCall,
  ): AsyncGenerator<ProviderEvent[]> {
    const { includeReasoning = false } = request;
    const runsOn = request.options?.background === true;
    const place = from === undefined ? undefined : readPlace(from);
    const origin = originOf(request);
    const machine = new ResponsesMachine({ includeReasoning, origin, numbered: runsOn, place });
    const begin = () => read(request, machine, signal, create(request));
    try {
      signal.throwIfAborted();
      // The response object as first sent was lost with the process that received it.
      if (place !== undefined)
        yield [{ type: "started", response: { id: place.responseId }, ...toldIgnored(request) }];
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
    const call = new HttpCall(agents);
    try {
      await sdk.responses.cancel(id, { signal: tooLong.signal, ...over(call.fetch) }).asResponse();
      call.release();
    } catch (cause) {
      onWarning("A background response could not be cancelled.", toCause(cause, request));
    } finally {
      patience.abort();
    }
  }

  return { name: openaiName, simulated: false, stream };
}

function toldIgnored(request: ProviderRequest): { readonly ignored?: readonly string[] } {
  const ignored = ignoredByResponses(request);
  return ignored.length === 0 ? {} : { ignored };
}

/** Reads a checkpoint of this provider, which may come from another version of it. */
function readPlace(from: JsonObject): ResponsePlace {
  const read = responsePlace.safeParse(from);
  if (!read.success) throw new TroupeError("interrupted", { cause: read.error });
  return read.data;
}
