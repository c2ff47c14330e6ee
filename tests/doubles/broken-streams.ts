import { eventText, eventTexts } from "./event-text.ts";
import {
  everyMoment,
  type FaultContext,
  type FaultExpectation,
  type FaultShape,
  type Moment,
  type Position,
  streamUntil,
  textUntil,
  writes,
} from "./fault-shape.ts";
import { type Script, type Step, toBytes } from "./script.ts";
import { plainResponse, streamHead, streamScript } from "./stream-script.ts";

function brokenStream(
  name: string,
  code: string,
  fault: (position: Position) => readonly Step[],
  expect: Pick<FaultExpectation, "note" | "retriesAllowed">,
): FaultShape {
  return {
    name,
    moments: everyMoment,
    script: (moment, context = {}) => streamUntil(moment, context, fault),
    text: textUntil,
    expect: { outcome: "error", code, ...expect },
  };
}

function neverBegun(
  name: string,
  code: string,
  script: (context: FaultContext) => Script,
  expect: Pick<FaultExpectation, "note" | "retriesAllowed">,
): FaultShape {
  return {
    name,
    moments: ["before"],
    script: (_moment, context = {}) => {
      const { until } = context;
      return until === undefined ? script(context) : [{ waitFor: until }, ...script(context)];
    },
    text: () => "",
    expect: { outcome: "error", code, ...expect },
  };
}

/** The first half of the next event, cut inside its JSON. */
function halfEvent({ next, rest }: Position): Step[] {
  const [event] = rest;
  if (event === undefined) throw new Error("nothing is left to cut");
  const bytes = toBytes(eventText(event, next));
  return [{ write: bytes.subarray(0, Math.ceil(bytes.length / 2)) }];
}

function restOf({ next, rest }: Position): Step[] {
  return writes(eventTexts(rest, next + 1));
}

/** The whole answer in a body without a length, which ends only with the connection; cut at a moment. */
function untilClose(moment: Moment, context: FaultContext): Script {
  const [, ...steps] = streamUntil(moment, context, () => []);
  return [streamHead({ framing: "until-close" }), ...steps];
}

/** Streams that break off, go silent, or hold something other than an answer. */
export const brokenStreams: readonly FaultShape[] = [
  brokenStream("end-clean", "upstream_truncated", () => [{ end: true }], {
    retriesAllowed: true,
    note: "the body ends as HTTP demands, but no terminal event came",
  }),
  {
    ...brokenStream("end-clean-until-close", "upstream_truncated", () => [], {
      retriesAllowed: true,
      note: "the same where only the closed connection ends the body",
    }),
    script: (moment, context = {}) => untilClose(moment, context),
  },
  brokenStream("end-in-half-an-event", "upstream_truncated", halfEvent, {
    retriesAllowed: true,
    note: "the body ends as HTTP demands in the middle of a JSON line",
  }),
  brokenStream("done-without-terminal", "upstream_truncated", () => [{ write: "data: [DONE]\n\n" }], {
    retriesAllowed: true,
    note: "the end marker of chat completions, but no terminal event",
  }),
  brokenStream("reset", "upstream_disconnected", () => [{ reset: true }], {
    retriesAllowed: true,
    note: "TCP RST. A reader may lose what it had not read: wait with `until` where the exact text matters",
  }),
  brokenStream("fin-inside-chunked-body", "upstream_disconnected", () => [{ fin: true }], {
    retriesAllowed: true,
    note: "FIN without the last chunk. A reader may lose what it had not read, as with a reset",
  }),
  brokenStream("stall", "upstream_stalled", () => [{ hang: true }], {
    retriesAllowed: true,
    note: "nothing more, and the connection stays open",
  }),
  brokenStream("stall-in-half-an-event", "upstream_stalled", (at) => [...halfEvent(at), { hang: true }], {
    retriesAllowed: true,
    note: "silence in the middle of a JSON line",
  }),
  brokenStream("garbage", "upstream_invalid", (at) => [{ write: "data: <html>oops\n\n" }, ...restOf(at)], {
    retriesAllowed: false,
    note: "a data line that is not JSON; a whole answer follows, so that ignoring the line is noticed",
  }),
  neverBegun("stall-before-head", "upstream_timeout", () => [{ hang: true }], {
    retriesAllowed: true,
    note: "the call is taken and never answered",
  }),
  neverBegun("stall-after-head", "upstream_timeout", () => [streamHead(), { hang: true }], {
    retriesAllowed: true,
    note: "status and headers, but no byte of the body",
  }),
  neverBegun("reset-before-head", "upstream_disconnected", () => [{ reset: true }], {
    retriesAllowed: true,
    note: "TCP RST instead of an answer",
  }),
  neverBegun("empty-body", "upstream_empty", () => [streamHead()], {
    retriesAllowed: true,
    note: "an event stream of no bytes",
  }),
  neverBegun("comments-only", "upstream_empty", () => streamScript([": ping\n\n", ": ping\n\n"]), {
    retriesAllowed: true,
    note: "keep-alive comments and then the end",
  }),
  neverBegun("html-instead-of-stream", "upstream_invalid", () => plainResponse(200, "<html>Sign in</html>"), {
    retriesAllowed: false,
    note: "HTTP 200 from something that is not the API, e.g. a portal",
  }),
];
