import { eventTexts } from "./event-text.ts";
import {
  everyMoment,
  type FaultContext,
  type FaultExpectation,
  type FaultShape,
  type Moment,
  streamUntil,
  textUntil,
  writes,
} from "./fault-shape.ts";
import { type Script, type Step, toBytes } from "./script.ts";
import { plainResponse, streamHead, streamScript } from "./stream-script.ts";

/** A fault of an answer that has begun, in any API. */
interface BrokenOff extends Pick<FaultExpectation, "note" | "retriesAllowed"> {
  readonly name: string;
  readonly code: string;
  /** `rest`: the events that would have followed, each as its bytes on the wire; never empty. */
  fault(rest: readonly string[]): readonly Step[];
}

/** The first half of the next event, cut inside its JSON. */
function halfEvent([event]: readonly string[]): Step[] {
  if (event === undefined) throw new Error("nothing is left to cut");
  const bytes = toBytes(event);
  return [{ write: bytes.subarray(0, Math.ceil(bytes.length / 2)) }];
}

/** Answers that break off or go silent, or that hold something else, after they have begun. */
export const brokenOff: readonly BrokenOff[] = [
  {
    ...{ name: "end-clean", code: "upstream_truncated", retriesAllowed: true },
    fault: () => [{ end: true }],
    note: "the body ends as HTTP demands, but no terminal event came",
  },
  {
    ...{ name: "end-in-half-an-event", code: "upstream_truncated", retriesAllowed: true },
    fault: halfEvent,
    note: "the body ends as HTTP demands in the middle of a JSON line",
  },
  {
    ...{ name: "reset", code: "upstream_disconnected", retriesAllowed: true },
    fault: () => [{ reset: true }],
    note: "TCP RST. A reader may lose what it had not read: wait with `until` where the exact text matters",
  },
  {
    ...{ name: "fin-inside-chunked-body", code: "upstream_disconnected", retriesAllowed: true },
    fault: () => [{ fin: true }],
    note: "FIN without the last chunk. A reader may lose what it had not read, as with a reset",
  },
  {
    ...{ name: "stall", code: "upstream_stalled", retriesAllowed: true },
    fault: () => [{ hang: true }],
    note: "nothing more, and the connection stays open",
  },
  {
    ...{ name: "stall-in-half-an-event", code: "upstream_stalled", retriesAllowed: true },
    fault: (rest) => [...halfEvent(rest), { hang: true }],
    note: "silence in the middle of a JSON line",
  },
  {
    ...{ name: "garbage", code: "upstream_invalid", retriesAllowed: false },
    fault: (rest) => writes(["data: <html>oops\n\n", ...rest]),
    note: "a data line that is not JSON; a whole answer follows, so that ignoring the line is noticed",
  },
];

function neverBegun(
  name: string,
  code: string,
  steps: Script,
  expect: Pick<FaultExpectation, "note" | "retriesAllowed">,
): FaultShape {
  return {
    ...{ name, moments: ["before"], text: () => "" },
    script: (_moment, { until } = {}) => (until === undefined ? steps : [{ waitFor: until }, ...steps]),
    expect: { outcome: "error", code, ...expect },
  };
}

/** Calls of any API that get no event of an answer. */
export const neverBegunCalls: readonly FaultShape[] = [
  neverBegun("stall-before-head", "upstream_timeout", [{ hang: true }], {
    retriesAllowed: true,
    note: "the call is taken and never answered",
  }),
  neverBegun("stall-after-head", "upstream_timeout", [streamHead(), { hang: true }], {
    retriesAllowed: true,
    note: "status and headers, but no byte of the body",
  }),
  neverBegun("reset-before-head", "upstream_disconnected", [{ reset: true }], {
    retriesAllowed: true,
    note: "TCP RST instead of an answer",
  }),
  neverBegun("empty-body", "upstream_empty", [streamHead()], {
    retriesAllowed: true,
    note: "an event stream of no bytes",
  }),
  neverBegun("comments-only", "upstream_empty", streamScript([": ping\n\n", ": ping\n\n"]), {
    retriesAllowed: true,
    note: "keep-alive comments and then the end",
  }),
  neverBegun("html-instead-of-stream", "upstream_invalid", plainResponse(200, "<html>Sign in</html>"), {
    retriesAllowed: false,
    note: "HTTP 200 from something that is not the API, e.g. a portal",
  }),
];

/** A broken answer of the Responses API. */
function brokenStream({ name, code, fault, ...expect }: BrokenOff): FaultShape {
  return {
    ...{ name, moments: everyMoment, text: textUntil },
    script: (moment, context = {}) =>
      streamUntil(moment, context, ({ next, rest }) => fault(eventTexts(rest, next))),
    expect: { outcome: "error", code, ...expect },
  };
}

/** The whole answer in a body without a length, which ends only with the connection; cut at a moment. */
function untilClose(moment: Moment, context: FaultContext): Script {
  const [, ...steps] = streamUntil(moment, context, () => []);
  return [streamHead({ framing: "until-close" }), ...steps];
}

/** Streams that break off, go silent, or hold something other than an answer. */
export const brokenStreams: readonly FaultShape[] = [
  ...brokenOff.map(brokenStream),
  {
    ...brokenStream({
      ...{ name: "end-clean-until-close", code: "upstream_truncated", retriesAllowed: true },
      fault: () => [],
      note: "the same where only the closed connection ends the body",
    }),
    script: (moment, context = {}) => untilClose(moment, context),
  },
  brokenStream({
    ...{ name: "done-without-terminal", code: "upstream_truncated", retriesAllowed: true },
    fault: () => [{ write: "data: [DONE]\n\n" }],
    note: "the end marker of chat completions, but no terminal event",
  }),
  ...neverBegunCalls,
];
