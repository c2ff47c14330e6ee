import type { Clock } from "../../../ports/clock.ts";
import { isObject, type JsonObject } from "../../../ports/json.ts";
import type { ProviderEvent } from "../../../ports/provider.ts";
import { TroupeError } from "../../../protocol/errors.ts";
import { fromPostFault, HttpFault } from "../../upstream/post-json.ts";
import { ReopenedStream } from "../../upstream/reopened-stream.ts";
import type { UpstreamAgents } from "../../upstream/upstream-call.ts";
import { openaiNames } from "../openai-errors.ts";
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

/** The vendor's code for a socket that has reached its hour. */
const limitReached = "websocket_connection_limit_reached";
/** Longer messages are cut: their words only choose a code. */
const maxMessageChars = 65_536;

/** The error object: inside the frame, or the frame itself. */
function errorIn(frame: JsonObject): JsonObject {
  return isObject(frame.error) ? frame.error : frame;
}

/** Whether a failure says that the socket has served for too long, so that the call is to be made over another one. */
function isLimitReached(frame: unknown): boolean {
  return isObject(frame) && errorIn(frame).code === limitReached;
}

/**
 * Our error for an error frame: `{"type": "error", "status", "error": {"code", "message", "headers"}}`, or the same without the inner
 * object. One with a status is read as the refusal that it would be over HTTP. `undefined` for one without: its words decide. `nowMs` is
 * the wall clock, for dates in `retry-after`.
 */
function fromErrorFrame(frame: unknown, nowMs: number): TroupeError | undefined {
  if (!isObject(frame)) return undefined;
  if (isLimitReached(frame)) {
    const cause = new Error("The socket has reached the vendor's limit of time.");
    return new TroupeError("upstream_disconnected", { cause, safeToRepeat: true, isUnread: true });
  }
  const error = errorIn(frame);
  const status = [frame.status, frame.status_code, error.status, error.status_code]
    .map(Number)
    .find((figure) => Number.isInteger(figure) && figure >= 400 && figure <= 599);
  if (status === undefined) return undefined;
  const { code, type, param, message, headers = frame.headers } = error;
  const told = {
    ...{ code, param, headers, message: String(message ?? "").slice(0, maxMessageChars) },
    type: type === "error" ? undefined : type,
  };
  const body = JSON.stringify({ error: told });
  return fromPostFault(new HttpFault(status, headersOf(headers), body), openaiNames, nowMs);
}

function headersOf(told: unknown): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(isObject(told) ? told : {})) {
    const isHeader = /^[\w-]{1,100}$/.test(name) && /^[\x20-\x7e]{0,1000}$/.test(String(value));
    if (isHeader) headers.set(name, String(value));
  }
  return headers;
}
