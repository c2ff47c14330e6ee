import type { Clock } from "../../ports/clock.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { createUpstreamCall, type UpstreamAgents } from "../upstream/upstream-call.ts";
import { createWatchdog } from "../upstream/watchdog.ts";
import { fromSdkError } from "./openai-errors.ts";
import { readEvents } from "./read-events.ts";
import type { ResponsesMachine } from "./responses-machine.ts";

type UpstreamCall = ReturnType<typeof createUpstreamCall>;

export interface ResponseStreamOptions {
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
  /** Longest wait for the first event. */
  readonly firstByteMs: number;
  /** Longest silence between two events. */
  readonly idleMs: number;
  /** What was read before by another connection is in it already. */
  readonly machine: ResponsesMachine;
  readonly signal: AbortSignal;
  /** Makes the SDK send the request, over the `fetch` that it is given. */
  readonly open: (fetch: UpstreamCall["fetch"]) => Promise<Response>;
}

/** Reads one event stream over one connection; the contract of `Provider.stream` but for what is done when it breaks. */
export async function* readResponseStream({
  agents,
  clock,
  firstByteMs,
  idleMs,
  machine,
  signal,
  open,
}: ResponseStreamOptions): AsyncGenerator<ProviderEvent[]> {
  const call = createUpstreamCall(agents);
  let stalled: TroupeError | undefined;
  const watchdog = createWatchdog(clock, Math.min(firstByteMs, idleMs), () => {
    stalled = new TroupeError(machine.silent ? "upstream_timeout" : "upstream_stalled");
    void call.close();
  });
  const abort = () => void call.close();
  signal.addEventListener("abort", abort, { once: true });
  watchdog.start(firstByteMs);
  try {
    const response = await open(call.fetch).catch((thrown: unknown) => {
      throw stalled ?? fromSdkError(thrown, clock.wallTimeMs());
    });
    if (!/^text\/event-stream\b/i.test(response.headers.get("content-type") ?? "")) {
      throw new TroupeError("upstream_invalid", { cause: new Error("The answer is not an event stream.") });
    }
    for await (const events of readEvents(call.body(), machine, () => watchdog.progress(idleMs))) {
      // What had come already would still be read, although the connection is closed.
      signal.throwIfAborted();
      watchdog.rest();
      yield events;
      watchdog.arm();
      if (machine.ended) return;
    }
    machine.finish();
  } catch (thrown) {
    signal.throwIfAborted();
    throw stalled ?? fromStreamFault(thrown);
  } finally {
    watchdog.stop();
    signal.removeEventListener("abort", abort);
    if (machine.ended) call.release();
    else await call.close();
  }
}

/** What was not reported by the stream itself: its connection broke, or its bytes could not be unpacked. */
function fromStreamFault(thrown: unknown): TroupeError {
  if (thrown instanceof TroupeError) return thrown;
  const code = (thrown as { code?: unknown }).code;
  const broke = code === "ECONNRESET" || code === "EPIPE" || code === "ERR_STREAM_PREMATURE_CLOSE";
  return new TroupeError(broke ? "upstream_disconnected" : "upstream_invalid", { cause: thrown });
}
