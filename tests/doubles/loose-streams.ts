import { eventsOf } from "./answer.ts";
import { eventText, eventTexts } from "./event-text.ts";
import {
  everyMoment,
  type FaultShape,
  faultAnswer,
  faultDeltas,
  streamUntil,
  writes,
} from "./fault-shape.ts";
import type { Script } from "./script.ts";
import { plainResponse, streamHead, streamScript } from "./stream-script.ts";

const parts = faultAnswer();
const events = eventTexts(eventsOf(parts));
const { terminal } = parts;

function loose(name: string, note: string, script: () => Script): FaultShape {
  return {
    name,
    moments: ["before"],
    script,
    text: () => faultDeltas.join(""),
    expect: { outcome: "completed", finishReason: "stop", retriesAllowed: false, note },
  };
}

/** The answer with this content type, or with none. */
function typed(contentType: string | undefined): Script {
  const headers = contentType === undefined ? {} : { "content-type": contentType };
  return [{ head: { status: 200, headers, framing: "chunked" } }, ...writes(events)];
}

/** The terminal event with changes to its response. */
function endingWith(changes: object, type: string = terminal.type): Script {
  const response = { ...("response" in terminal ? terminal.response : {}), ...changes };
  return streamScript([...events.slice(0, -1), eventText({ type, response }, events.length - 1)]);
}

/** Inserts something between all events that is not an event. */
function between(name: string, note: string, heartbeat: string): FaultShape {
  return {
    ...loose(name, note, () => []),
    moments: everyMoment,
    script: (moment, context = {}) =>
      streamUntil(moment, context, ({ next, rest }) =>
        writes(eventTexts(rest, next).map((event) => `${heartbeat}\n\n${event}`)),
      ),
  };
}

/** Whole answers in forms that servers and proxies use. The vendor's own SDK reads all but the last. */
export const looseStreams: readonly FaultShape[] = [
  loose("no-content-type", "a proxy drops the content type", () => typed(undefined)),
  loose("plain-content-type", "an event stream that is called text", () => typed("text/plain")),
  loose("binary-content-type", "or bytes", () => typed("application/octet-stream")),
  loose("json-content-type", "or JSON", () => typed("application/json; charset=utf-8")),
  loose("html-content-type", "or a page", () => typed("text/html")),
  between("data-without-value", "a heartbeat that is data without a value", "data:"),
  between("data-comment", "a comment that a gateway has put behind data:", "data: : OPENROUTER PROCESSING"),
  between("ping-events", "heartbeats with a name", "event: ping\ndata: {}"),
  between("keepalive-events", "heartbeats with a type", 'data: {"type":"keepalive","sequence_number":7}'),
  loose("response-done", "response.done ends the answer", () => endingWith({}, "response.done")),
  loose("output-null", "the final object has no output", () => endingWith({ output: null })),
  loose("output-empty", "or an empty one", () => endingWith({ output: [] })),
  loose("type-in-event-line", "the type stands in the event line alone", () =>
    streamScript(events.map((event) => event.replace(/"type":"response\.[a-z_.]+",/, ""))),
  ),
  loose("last-event-open", "the last event lacks its empty line", () => {
    const whole = events.join("");
    return streamScript([whole.slice(0, -2)]);
  }),
  loose("json-instead-of-stream", "the finished response object, as if no stream had been asked for", () =>
    plainResponse(200, "response" in terminal ? terminal.response : {}),
  ),
];

function failing(name: string, code: string, note: string, script: () => Script): FaultShape {
  return {
    name,
    moments: ["before"],
    script,
    text: () => "",
    expect: { outcome: "error", code, retriesAllowed: true, retryExpected: true, note },
  };
}

const overload = { error: { message: "Busy.", type: "overloaded_error", code: null } };
const begun = events.slice(0, 2).map((write) => ({ write }));

/** Failures inside a 200, in forms that the vendor does not document. Each leaves its connection open. */
export const looseFailures: readonly FaultShape[] = [
  failing("data-error-text", "upstream_error", "an error that is a text", () => [
    streamHead(),
    ...begun,
    { write: 'data: {"error":"The model has crashed."}\n\n' },
    { hang: true },
  ]),
  failing("error-line-alone", "upstream_overloaded", "only the event line says that it is an error", () => [
    streamHead(),
    ...begun,
    { write: 'event: error\ndata: {"code":"server_is_overloaded","message":"Busy."}\n\n' },
    { hang: true },
  ]),
  failing("error-line-text", "rate_limited", "and its data is a text", () => [
    streamHead(),
    ...begun,
    { write: "event: error\ndata: Rate limit exceeded\n\n" },
    { hang: true },
  ]),
  failing("json-error", "upstream_overloaded", "an error object in the place of the stream", () => [
    { head: { status: 200, headers: { "content-type": "application/json" }, framing: "chunked" } },
    { write: JSON.stringify(overload) },
    { hang: true },
  ]),
  failing("completed-but-failed", "upstream_error", "response.completed holds a failed response", () => [
    ...endingFailed(),
    { hang: true },
  ]),
];

function endingFailed(): Script {
  const error = { code: "server_error", message: "Oops." };
  const response = { ...parts.started, status: "failed", error };
  return [streamHead(), ...begun, { write: eventText({ type: "response.completed", response }, 2) }];
}
