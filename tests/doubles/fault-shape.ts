import { type AnswerOptions, type AnswerParts, answerParts, eventsOf } from "./answer.ts";
import { type AnyEvent, eventTexts } from "./event-text.ts";
import type { Script, Step } from "./script.ts";
import { streamHead } from "./stream-script.ts";

/**
 * When a fault strikes: before the first text delta (the stream's opening events have been sent, unless the fault is an HTTP
 * answer), after some deltas, or in place of the terminal event, with all the text sent.
 */
export type Moment = "before" | "middle" | "last";

export const everyMoment: readonly Moment[] = ["before", "middle", "last"];

export interface FaultContext {
  /** The fault waits for this, e.g. until a client has seen the text so far. Left out: it strikes at once. */
  readonly until?: PromiseLike<unknown>;
  /** Base URL of a second double, where a redirect is to lead. Left out: a port on which nobody listens. */
  readonly elsewhere?: string;
}

/** What a correct server makes of a shape. */
export interface FaultExpectation {
  readonly outcome: "error" | "completed";
  /** Error code on the wire. */
  readonly code?: string;
  /** Default of a completed answer: `stop`. */
  readonly finishReason?: "stop" | "length" | "content_filter";
  /**
   * Whether the server may call again. It speaks of the moment `before`: once text was shown nothing is repeated, so use
   * `mayRetry`.
   */
  readonly retriesAllowed: boolean;
  /** The server is to call again, if nothing was shown: a failure that passes, or no connection at all. */
  readonly retryExpected?: true;
  /** The pause that the upstream asked for, in milliseconds. */
  readonly retryAfterMs?: number;
  /** What the shape is and where it was seen. */
  readonly note: string;
}

/** One way in which an upstream goes wrong, or strange but right. */
export interface FaultShape {
  /** Unique, in kebab-case. */
  readonly name: string;
  /** The moments for which it makes sense. */
  readonly moments: readonly Moment[];
  /** A fresh script, the same for the same arguments. */
  script(moment: Moment, context?: FaultContext): Script;
  /** Where set, the call goes to this address instead and no script is played. Given the double's own base URL. */
  readonly baseUrl?: (doubleBaseUrl: string) => Promise<string>;
  /** The text that a client has been shown in the end, if it read all that was sent before the fault. */
  text(moment: Moment): string;
  readonly expect: FaultExpectation;
}

/** Whether a server may call again after this fault. */
export function mayRetry({ expect }: FaultShape, moment: Moment): boolean {
  return expect.outcome === "error" && expect.retriesAllowed && moment === "before";
}

/** The answer that every shape breaks: 1 to 4 bytes a character, and a cluster of several code points. */
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

/** The text that has been streamed at a moment of the common answer. */
export function textUntil(moment: Moment): string {
  if (moment === "before") return "";
  return faultDeltas.slice(0, moment === "middle" ? deltasBeforeMiddle : faultDeltas.length).join("");
}

/** The common answer; options change parts of it. */
export function faultAnswer(options: AnswerOptions = {}): AnswerParts {
  return answerParts({ deltas: faultDeltas, ...options });
}

/** Where a fault strikes in a stream. */
export interface Position {
  /** Number of the next event. */
  readonly next: number;
  /** What would have followed, the terminal event last; never empty. */
  readonly rest: readonly AnyEvent[];
  readonly parts: AnswerParts;
}

/** A stream up to a moment and then the steps of the fault; a script that runs out ends the body cleanly. */
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

/** One write a piece. */
export function writes(pieces: readonly (string | Uint8Array)[]): Step[] {
  return pieces.map((write) => ({ write }));
}
