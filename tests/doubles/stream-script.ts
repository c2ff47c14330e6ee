import type { Bytes, Framing, Script, Step } from "./script.ts";

/** Content type of an event stream as the API states it. */
const eventStreamHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-request-id": "req_double",
};

export interface StreamScriptOptions {
  /** Added to the usual headers; a header of the same name is replaced. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default chunked. */
  readonly framing?: Framing;
  /**
   * Returns the steps to play after each event but the last, e.g. a wait. The argument is the index of the event just
   * written.
   */
  readonly betweenEvents?: (index: number) => readonly Step[];
}

/** The head of a successful event stream, as the first step of a script. */
export function streamHead(options: Pick<StreamScriptOptions, "headers" | "framing"> = {}): Step {
  const headers = { ...eventStreamHeaders, ...options.headers };
  return { head: { status: 200, headers, framing: options.framing ?? "chunked" } };
}

/** A stream that writes each of the given texts as one packet and ends properly. */
export function streamScript(events: readonly Bytes[], options: StreamScriptOptions = {}): Script {
  const { betweenEvents = () => [] } = options;
  const steps = events.flatMap((event, index): readonly Step[] =>
    index === events.length - 1 ? [{ write: event }] : [{ write: event }, ...betweenEvents(index)],
  );
  return [streamHead(options), ...steps];
}

/**
 * A whole answer that is not a stream. An object is sent as JSON, a text as HTML, as a proxy would send it, and the empty
 * text as no body.
 */
export function plainResponse(
  status: number,
  body: object | string,
  headers: Readonly<Record<string, string>> = {},
): Script {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const contentType = typeof body === "string" ? "text/html" : "application/json";
  const lengthBytes = Buffer.byteLength(text);
  const head: Step = {
    head: {
      status,
      headers: { "content-type": contentType, "x-request-id": "req_double", ...headers },
      framing: { lengthBytes },
    },
  };
  return lengthBytes === 0 ? [head] : [head, { write: text }];
}

/** The error object of the API: `{"error": {message, type, param, code}}`. */
export interface ApiError {
  readonly message: string;
  readonly type: string | null;
  readonly code: string | null;
  readonly param?: string | null;
}

/** An HTTP error with the API's error object, or with another body (text, or any object). */
export function httpError(
  status: number,
  body: ApiError | string,
  headers: Readonly<Record<string, string>> = {},
): Script {
  if (typeof body === "string") return plainResponse(status, body, headers);
  const { message, type, param = null, code } = body;
  return plainResponse(status, { error: { message, type, param, code } }, headers);
}
