import OpenAI from "openai";
import type { Clock } from "../../ports/clock.ts";
import type { JsonObject } from "../../ports/json.ts";
import type { Provider, ProviderEvent, ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { createSecretMask } from "../upstream/secret-mask.ts";
import { createUpstreamCall, type UpstreamAgents } from "../upstream/upstream-call.ts";
import { createWatchdog } from "../upstream/watchdog.ts";
import { fromSdkError } from "./openai-errors.ts";
import { readEvents } from "./read-events.ts";
import { createResponsesMachine } from "./responses-machine.ts";
import { responsesParams } from "./responses-params.ts";

/** How long the cancel of a background response may take: what waits for the call's end waits for it too. */
const longestCancelMs = 10_000;

export interface OpenaiProviderOptions {
  readonly apiKey: string;
  /** Where the API is. Default: the SDK's, OpenAI itself. */
  readonly baseUrl?: string;
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
  /** Longest wait for the first event. */
  readonly firstByteMs: number;
  /** Longest silence between two events; keep-alive comments do not count. */
  readonly idleMs: number;
  /** Hears of faults that change nothing for the client, such as a refused cancel of a background response. */
  readonly onWarning: (warning: string, cause: unknown) => void;
}

/** What a timer of the system reaches; a longer one would fire at once. */
const longestTimerMs = 2_147_483_647;

/** The OpenAI Responses API, or anything that speaks it: requests by the official SDK, the event stream by our own reader. */
export function createOpenaiProvider(options: OpenaiProviderOptions): Provider {
  const { apiKey, baseUrl, agents, clock, firstByteMs, idleMs, onWarning } = options;
  const withoutKey = createSecretMask(apiKey);
  const sdk = new OpenAI({
    apiKey,
    maxRetries: 0,
    logLevel: "off",
    // The watchdog ends what takes too long; the SDK's own limit only must not come first.
    timeout: Math.min(2 * (firstByteMs + idleMs), longestTimerMs),
    ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
  });

  async function* stream(
    request: ProviderRequest,
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<ProviderEvent[]> {
    signal.throwIfAborted();
    const call = createUpstreamCall(agents);
    const machine = createResponsesMachine({ includeReasoning: request.includeReasoning === true });
    let stalled: TroupeError | undefined;
    let responseId: string | undefined;
    const watchdog = createWatchdog(clock, Math.min(firstByteMs, idleMs), () => {
      stalled = new TroupeError(machine.silent ? "upstream_timeout" : "upstream_stalled");
      void call.close();
    });
    const abort = () => void call.close();
    signal.addEventListener("abort", abort, { once: true });
    watchdog.start(firstByteMs);
    try {
      const response = await sdk
        .withOptions({ fetch: call.fetch })
        .responses.create(responsesParams(request))
        .asResponse()
        .catch((thrown: unknown) => {
          throw stalled ?? fromSdkError(thrown, clock.wallTimeMs());
        });
      if (!/^text\/event-stream\b/i.test(response.headers.get("content-type") ?? "")) {
        throw new TroupeError("upstream_invalid", { cause: new Error("The answer is not an event stream.") });
      }
      for await (const events of readEvents(call.body(), machine, () => watchdog.progress(idleMs))) {
        // What had come already would still be read, although the connection is closed.
        signal.throwIfAborted();
        for (const event of events) if (event.type === "started") responseId = idOf(event.response);
        watchdog.rest();
        yield events;
        watchdog.arm();
        if (machine.ended) return;
      }
      machine.finish();
    } catch (thrown) {
      signal.throwIfAborted();
      throw stalled ?? withoutKey.error(fromStreamFault(thrown));
    } finally {
      watchdog.stop();
      signal.removeEventListener("abort", abort);
      if (signal.aborted && request.options?.background === true && responseId)
        await cancelBackground(responseId);
      if (machine.ended) call.release();
      else await call.close();
    }
  }

  /** A response that runs in the background does not stop with its connection. */
  async function cancelBackground(id: string): Promise<void> {
    const patience = new AbortController();
    const tooLong = new AbortController();
    void clock.sleep(longestCancelMs, patience.signal).then(() => tooLong.abort());
    const call = createUpstreamCall(agents);
    try {
      await sdk
        .withOptions({ fetch: call.fetch })
        .responses.cancel(id, { signal: tooLong.signal })
        .asResponse();
      call.release();
    } catch (cause) {
      onWarning("A background response could not be cancelled.", withoutKey.cause(cause));
    } finally {
      patience.abort();
    }
  }

  return { name: "openai", simulated: false, stream };
}

function idOf(response: JsonObject | undefined): string | undefined {
  return typeof response?.id === "string" ? response.id : undefined;
}

/** What was not reported by the stream itself: its connection broke, or its bytes could not be unpacked. */
function fromStreamFault(thrown: unknown): TroupeError {
  if (thrown instanceof TroupeError) return thrown;
  const code = (thrown as { code?: unknown }).code;
  const broke = code === "ECONNRESET" || code === "EPIPE" || code === "ERR_STREAM_PREMATURE_CLOSE";
  return new TroupeError(broke ? "upstream_disconnected" : "upstream_invalid", { cause: thrown });
}
