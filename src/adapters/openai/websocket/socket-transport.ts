import type { Clock } from "../../../ports/clock.ts";
import type { ProviderEvent } from "../../../ports/provider.ts";
import type { TroupeError } from "../../../protocol/errors.ts";
import { ReopenedStream } from "../../upstream/reopened-stream.ts";
import type { UpstreamAgents } from "../../upstream/upstream-call.ts";
import { fromErrorFrame, isLimitReached } from "./error-frame.ts";
import { KeptSockets } from "./kept-sockets.ts";
import { createSocketCall, type SocketCall } from "./socket-call.ts";

type Stream = AsyncIterable<ProviderEvent[]>;

/** One attempt of a call over a socket. */
export interface SocketAttempt {
  readonly call: SocketCall;
  /** Reads a failure that came in a frame; `undefined` leaves it to the machine. */
  readonly readFailure: (told: unknown) => TroupeError | undefined;
}

/** The two ways of a call. */
interface Ways {
  readonly overSocket: (attempt: SocketAttempt) => Stream;
  readonly overHttp: () => Stream;
}

interface SocketTransportOptions {
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
  readonly onWarning: (warning: string, cause: unknown) => void;
}

/**
 * Calls of one endpoint and key over WebSockets, and over HTTP if it has none. Sockets are kept for later calls of any conversation: the
 * context of a call comes from our own store, so no socket has anything that another one lacks.
 */
export function createSocketTransport({ agents, clock, onWarning }: SocketTransportOptions) {
  const kept = new KeptSockets(clock);
  agents.own(() => kept.close());
  let hasWebSocket = true;

  function attempt(mustDial: boolean): SocketAttempt {
    const call = createSocketCall({ agents, kept, mustDial, nowMs: () => clock.now() });
    return {
      call,
      readFailure(told) {
        if (isLimitReached(told)) call.detour = "another socket";
        return fromErrorFrame(told, clock.wallTimeMs());
      },
    };
  }

  return {
    /** One call. It is made again at most once over another socket and once over HTTP, and never after its first batch. */
    stream({ overSocket, overHttp }: Ways): Stream {
      if (!hasWebSocket) return overHttp();
      let current: SocketAttempt | undefined = attempt(false);
      let isRepeated = false;
      return new ReopenedStream(overSocket(current), {
        again() {
          const detour = current?.call.detour;
          current = undefined;
          if (detour === undefined) return undefined;
          if (detour === "another socket") {
            if (isRepeated) return undefined;
            isRepeated = true;
            current = attempt(true);
            return overSocket(current);
          }
          if (detour === "http at all times" && hasWebSocket) {
            hasWebSocket = false;
            onWarning("The provider takes no WebSocket. Its calls go over HTTP from now on.", undefined);
          }
          return overHttp();
        },
      });
    },
  };
}
