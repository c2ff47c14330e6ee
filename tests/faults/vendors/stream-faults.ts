import { brokenOff, neverBegunCalls } from "../../doubles/broken-streams.ts";
import {
  everyMoment,
  type FaultContext,
  type FaultExpectation,
  type FaultShape,
  faultDeltas,
  type Moment,
  textUntil,
  writes,
} from "../../doubles/fault-shape.ts";
import { type Script, type Step, toBytes } from "../../doubles/script.ts";
import { plainResponse, streamHead } from "../../doubles/stream-script.ts";

/** The events of an answer in one API, each as its bytes on the wire. */
export interface VendorStream {
  readonly opening: readonly string[];
  delta(text: string): string;
  /** The end of an answer that the API finished for this reason, in its own words. */
  ending(reason: string): readonly string[];
}

/** A failure that an API reports: as an event of a stream that has begun, or as the body of an HTTP answer. */
export interface ReportedFailure {
  readonly name: string;
  /** The event's bytes on the wire, or the status and the body. */
  readonly event?: string;
  readonly status?: number;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly code: string;
  /** The failure passes, so a server must call again if nothing was shown. Default false: a repeat would fail as well. */
  readonly passes?: boolean;
  readonly retryAfterMs?: number;
}

interface FinishReasons {
  readonly stop: string;
  readonly length: string;
  readonly contentFilter: string;
}

type Fault = (rest: readonly string[]) => readonly Step[];

/** The faults that every API can have, and the failures that this one reports in its own words. */
export function vendorShapes(
  stream: VendorStream,
  reasons: FinishReasons,
  reported: readonly ReportedFailure[],
): FaultShape[] {
  const until = (moment: Moment, context: FaultContext, fault: Fault, reason = reasons.stop): Script => {
    const deltas = faultDeltas.map((text) => stream.delta(text));
    const sent = moment === "before" ? 0 : moment === "middle" ? 5 : deltas.length;
    const before = [...stream.opening, ...deltas.slice(0, sent)];
    const wait = context.until === undefined ? [] : [{ waitFor: context.until }];
    return [
      streamHead(),
      ...writes(before),
      ...wait,
      ...fault([...deltas.slice(sent), ...stream.ending(reason)]),
    ];
  };
  const broken = ({ name, code, fault, ...expect }: (typeof brokenOff)[number]): FaultShape => ({
    ...{ name, moments: everyMoment, text: textUntil },
    script: (moment, context = {}) => until(moment, context, fault),
    expect: { outcome: "error", code, ...expect },
  });
  return [
    ...brokenOff.map(broken),
    ...neverBegunCalls,
    ...reported.map((failure) => reportedShape(failure, until)),
    whole("finish-length", until, reasons.length, "length"),
    whole("finish-content-filter", until, reasons.contentFilter, "content_filter"),
    tolerated("keep-alive-comments", (moment, context) =>
      until(moment, context, (rest) => writes([": keep-alive\n\n", ...rest])),
    ),
    tolerated("split-bytes", (moment, context) =>
      until(moment, context, (rest) => rest.flatMap((event) => splitInThree(event))),
    ),
    tolerated("crlf", (moment, context) =>
      until(moment, context, (rest) => writes(rest.map((event) => event.replaceAll("\n", "\r\n")))),
    ),
  ];
}

type Until = (moment: Moment, context: FaultContext, fault: Fault, reason?: string) => Script;

function reportedShape(
  { name, event, status = 500, body = {}, headers, code, passes = false, retryAfterMs }: ReportedFailure,
  until: Until,
): FaultShape {
  const expect: FaultExpectation = {
    ...{ outcome: "error", code, retriesAllowed: passes, note: "" },
    ...(passes ? { retryExpected: true } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  if (event === undefined)
    return {
      ...{ name, moments: ["before"], text: () => "", expect },
      script: () => plainResponse(status, body, headers),
    };
  return {
    ...{ name, moments: everyMoment, text: textUntil, expect },
    script: (moment, context = {}) => until(moment, context, () => [{ write: event }]),
  };
}

function tolerated(name: string, script: (moment: Moment, context: FaultContext) => Script): FaultShape {
  return {
    ...{ name, moments: everyMoment, text: () => textUntil("last") },
    script: (moment, context = {}) => script(moment, context),
    expect: { outcome: "completed", retriesAllowed: false, note: "" },
  };
}

function whole(
  name: string,
  until: Until,
  reason: string,
  finishReason: "length" | "content_filter",
): FaultShape {
  return {
    ...{ name, moments: ["last"], text: () => textUntil("last") },
    script: (moment, context = {}) => until(moment, context, (rest) => writes(rest), reason),
    expect: { outcome: "completed", finishReason, retriesAllowed: false, note: "" },
  };
}

/** Cuts an event inside its JSON and inside its characters. */
function splitInThree(event: string): Step[] {
  const bytes = toBytes(event);
  const third = Math.ceil(bytes.length / 3);
  return writes([bytes.subarray(0, third), bytes.subarray(third, 2 * third), bytes.subarray(2 * third)]);
}
