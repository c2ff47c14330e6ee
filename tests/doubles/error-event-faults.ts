import { eventText } from "./event-text.ts";
import { everyMoment, type FaultShape, type Position, streamUntil, textUntil } from "./fault-shape.ts";
import { terminalEvent, usageOf } from "./response-object.ts";
import type { Step } from "./script.ts";

interface ReportedFailure {
  /** The upstream's own code. */
  readonly reported: string | null;
  readonly code: string;
  readonly retriesAllowed: boolean;
}

const failures: readonly ReportedFailure[] = [
  { reported: "server_error", code: "upstream_error", retriesAllowed: true },
  { reported: null, code: "upstream_error", retriesAllowed: true },
  { reported: "rate_limit_exceeded", code: "rate_limited", retriesAllowed: true },
  { reported: "invalid_prompt", code: "upstream_invalid_request", retriesAllowed: false },
  { reported: "insufficient_quota", code: "quota_exceeded", retriesAllowed: false },
  { reported: "server_is_overloaded", code: "upstream_overloaded", retriesAllowed: true },
  { reported: "slow_down", code: "upstream_overloaded", retriesAllowed: true },
  { reported: "vector_store_timeout", code: "upstream_error", retriesAllowed: true },
];

const message = "The upstream reports a failure.";

interface Carrier {
  readonly name: string;
  readonly note: string;
  readonly text: (reported: string | null, position: Position) => string;
}

const carriers: readonly Carrier[] = [
  {
    name: "error-event",
    note: "event: error, as the API documents it",
    text: (code, { next }) => eventText({ type: "error", code, message, param: null }, next),
  },
  {
    name: "error-event-nested",
    note: "event: error with an error object inside, which the SDK reads as well",
    text: (code, { next }) => {
      const error = { type: code ?? "server_error", code, message, param: null };
      return eventText({ type: "error", error }, next);
    },
  },
  {
    name: "data-error",
    note: "data only, with an error object and without a type: chat completions in mid-stream",
    text: (code) => {
      const error = { message, type: code ?? "server_error", param: null, code };
      return `data: ${JSON.stringify({ error })}\n\n`;
    },
  },
  {
    name: "response-failed",
    note: "response.failed, the terminal event of a failed response",
    text: (code, { next, parts }) =>
      eventText(terminalEvent(parts.started, { status: "failed", code, message }, [], usageOf(10, 0)), next),
  },
];

/** Every way in which the upstream reports a failure inside a stream, with every code that we treat differently. */
export const errorEventFaults: readonly FaultShape[] = carriers.flatMap((carrier) =>
  failures.map(
    ({ reported, code, retriesAllowed }): FaultShape => ({
      name: `${carrier.name}-${(reported ?? "no-code").replaceAll("_", "-")}`,
      moments: everyMoment,
      script: (moment, context = {}) =>
        streamUntil(moment, context, (position): Step[] => [{ write: carrier.text(reported, position) }]),
      text: textUntil,
      expect: {
        ...{ outcome: "error", code, retriesAllowed, note: carrier.note },
        ...(retriesAllowed ? { retryExpected: true } : {}),
      },
    }),
  ),
);
