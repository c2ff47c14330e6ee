import { isObject } from "../../../ports/json.ts";
import { parseJson } from "../../upstream/event-stream-parser.ts";
import { type UpstreamAgents, UpstreamAnswer, type UpstreamCall } from "../../upstream/upstream-call.ts";
import { FrameReader } from "./frame-reader.ts";
import type { KeptSockets } from "./kept-sockets.ts";
import { type DialOptions, ModelSocket, maxFrameBytes } from "./model-socket.ts";

/** How to make a call again at once whose first attempt gave nothing. `http at all times`: the endpoint has no WebSocket. */
type Detour = "another socket" | "http" | "http at all times";

/** One call over a WebSocket. */
export interface SocketCall extends UpstreamCall {
  /** Absent if the call is not to be made again. */
  detour: Detour | undefined;
}

interface SocketCallOptions {
  readonly agents: UpstreamAgents;
  readonly kept: KeptSockets;
  /** The call has its own new socket. */
  readonly mustDial: boolean;
  readonly nowMs: () => number;
}

/** A server that has no WebSocket at this address refuses the upgrade, redirects it, or answers it as a plain request. */
export function hasNoWebSocket(status: number): boolean {
  return status < 400 || [400, 404, 405, 426, 501].includes(status);
}

/** The answer over HTTP to a call that a socket has taken. */
export const accepted = new UpstreamAnswer(200, {
  headers: { "content-type": "text/event-stream" },
  headersDistinct: {},
});

/**
 * One call that the SDK makes through `fetch`, over a kept or a new socket: the body of the request becomes the frame that asks for an
 * answer. A refused upgrade gives the same error as the refused call.
 */
export function createSocketCall({ agents, kept, mustDial, nowMs }: SocketCallOptions): SocketCall {
  let socket: ModelSocket | undefined;
  let reader: FrameReader | undefined;
  let isReused = false;
  let mustClose = false;

  async function connect(url: URL, headers: DialOptions["headers"]): Promise<UpstreamAnswer | undefined> {
    socket = mustDial ? undefined : kept.take();
    isReused = socket !== undefined;
    socket ??= new ModelSocket({ url, headers, agents, nowMs: nowMs() });
    return socket.opened;
  }

  const call: SocketCall = {
    detour: undefined,
    isConnected: () => socket?.isConnected === true,
    async fetch(address, { body = "", headers = {} } = {}) {
      if (mustClose) throw new Error("The call was closed before it began.");
      const frame = `{"type":"response.create",${body.slice(1)}`;
      if (Buffer.byteLength(frame) > maxFrameBytes) {
        call.detour = "http";
        throw new Error("The call is too large for a frame.");
      }
      const url = address instanceof URL ? address : new URL(address);
      const refusal = await connect(url, headers);
      if (refusal !== undefined && hasNoWebSocket(refusal.status)) {
        call.detour = "http at all times";
        throw new Error(`The upgrade to a WebSocket has the answer ${refusal.status}.`);
      }
      if (refusal !== undefined) return refusal;
      socket?.send(frame);
      return accepted;
    },
    read(sink) {
      if (socket === undefined) throw new Error("There is no answer yet.");
      const isStray = strayWatch(isReused, () => {
        call.detour = "another socket";
        // The next call might not notice.
        kept.close();
      });
      // It was closed while it waited, and the news came after the call had been sent.
      const onUnanswered = () => {
        if (isReused) call.detour = "another socket";
      };
      reader = new FrameReader({ socket, sink, isStray, onUnanswered });
      return reader;
    },
    release() {
      if (socket === undefined) return;
      if (reader?.isDrained === true) kept.keep(socket);
      else socket.terminate();
    },
    async close() {
      mustClose = true;
      socket?.terminate();
      await socket?.closed;
    },
  };
  return call;
}

/** Types of events that begin an answer, or refuse to. */
const starts: ReadonlySet<unknown> = new Set([
  ...["response.created", "response.queued", "response.in_progress", "error"],
]);

/**
 * Watches for frames of an earlier call on a socket that was used before. Such a call has ended in order, but a gateway may repeat its
 * end, which must not become the end of another caller's answer. `onStray` is called for the first one.
 */
function strayWatch(isReused: boolean, onStray: () => void): (data: Buffer) => boolean {
  let isSure = !isReused;
  return (data) => {
    if (isSure) return false;
    const event = parseJson(data.toString());
    const type = isObject(event) ? event.type : undefined;
    isSure = starts.has(type);
    const isStray = !isObject(event) || (!isSure && String(type).startsWith("response."));
    if (isStray) onStray();
    return isStray;
  };
}
