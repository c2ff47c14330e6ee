import { type AnswerOptions, type AnswerParts, answerParts, eventsOf } from "./answer.ts";
import { type AnyEvent, eventTexts } from "./event-text.ts";
import type { Script, Step } from "./script.ts";
import { streamHead } from "./stream-script.ts";

/**
 * The moment of a fault. Before the first text delta: the stream's opening events have been sent, unless the fault is an
 * HTTP answer. In the middle: after some deltas. Last: in place of the terminal event, after all the text.
 */
export type Moment = "before" | "middle" | "last";

export const everyMoment: readonly Moment[] = ["before", "middle", "last"];

export interface FaultContext {
  /** The fault waits for this, e.g. until a client has seen the text so far. Left out: it strikes at once. */
  readonly until?: PromiseLike<unknown>;
  /** Base URL of a second double, for redirects. Left out: a port on which no server listens. */
  readonly elsewhere?: string;
}

/** The correct reaction of a server to a shape. */
export interface FaultExpectation {
  readonly outcome: "error" | "completed";
  /** Error code on the wire. */
  readonly code?: string;
  /** Default of a completed answer: `stop`. */
  readonly finishReason?: "stop" | "length" | "content_filter";
  /** Whether the server may call again at the moment `before`. Nothing is repeated once text was shown, so use `mayRetry`. */
  readonly retriesAllowed: boolean;
  /** The server must call again if nothing was shown: the failure passes, or there was no connection at all. */
  readonly retryExpected?: true;
  /** The pause that the upstream asked for, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Describes the shape, and where it was seen. */
  readonly note: string;
}

/** One way in which an upstream goes wrong, or is odd but right. */
export interface FaultShape {
  /** Unique, in kebab-case. */
  readonly name: string;
  /** The moments at which it makes sense. */
  readonly moments: readonly Moment[];
  /** Returns a new script, the same for the same arguments. */
  script(moment: Moment, context?: FaultContext): Script;
  /** If set, the call goes to this address instead, and no script is played. The argument is the double's own base URL. */
  readonly baseUrl?: (doubleBaseUrl: string) => Promise<string>;
  /** The text that a client has been shown in the end, if it read everything sent before the fault. */
  text(moment: Moment): string;
  readonly expect: FaultExpectation;
}

/** Whether a server may call again after this fault. */
export function mayRetry({ expect }: FaultShape, moment: Moment): boolean {
  return expect.outcome === "error" && expect.retriesAllowed && moment === "before";
}

/** The answer that every shape breaks. It has characters of 1 to 4 bytes, and a cluster of several code points. */
export const faultDeltas: readonly string[] = [
  "Rain ",
  "falls ",
  "on the ",
  "naïve ",
  "hills — ",
  "雨が",
  "降る ",
  "👩‍🚀🌧️ ",
  "and ",
  "stops.",
];

const deltasBeforeMiddle = 5;

/** The text of the common answer that has been streamed by this moment. */
export function textUntil(moment: Moment): string {
  if (moment === "before") return "";
  return faultDeltas.slice(0, moment === "middle" ? deltasBeforeMiddle : faultDeltas.length).join("");
}

/** The common answer; options change parts of it. */
export function faultAnswer(options: AnswerOptions = {}): AnswerParts {
  return answerParts({ deltas: faultDeltas, ...options });
}

/** The place in a stream at which a fault strikes. */
export interface Position {
  /** Number of the next event. */
  readonly next: number;
  /** The events that would have followed, with the terminal event last; never empty. */
  readonly rest: readonly AnyEvent[];
  readonly parts: AnswerParts;
}

/** A stream up to a moment, and then the steps of the fault. A script that runs out ends the body cleanly. */
export function streamUntil(
  moment: Moment,
  context: FaultContext,
  fault: (position: Position) => readonly Step[],
  parts: AnswerParts = faultAnswer(),
): Script {
  const events = eventsOf(parts);
  const sentDeltas = moment === "before" ? 0 : deltasBeforeMiddle;
  const next = moment === "last" ? events.length - 1 : parts.prologue.length + sentDeltas;
  return [
    streamHead(),
    ...writes(eventTexts(events.slice(0, next))),
    ...(context.until === undefined ? [] : [{ waitFor: context.until }]),
    ...fault({ next, rest: events.slice(next), parts }),
  ];
}

/** One write per piece. */
export function writes(pieces: readonly (string | Uint8Array)[]): Step[] {
  return pieces.map((write) => ({ write }));
}
