import type { Script, Step } from "./script.ts";
import { streamHead, streamScript } from "./stream-script.ts";
import type { Retrieval } from "./upstream-routes.ts";

/** The stream of an answer's first `count` events, and then the steps that break it off. */
export function brokenAfter(count: number, events: readonly string[], fault: Step): Script {
  return [streamHead(), ...events.slice(0, count).map((write) => ({ write })), fault];
}

/** A background response that is asked for again: every event after the given number. */
export function eventsBehind({ startingAfter }: Retrieval, events: readonly string[]): string[] {
  return events.slice(startingAfter + 1);
}

/** The same, streamed to the end. */
export function restOf(retrieval: Retrieval, events: readonly string[]): Script {
  return streamScript(eventsBehind(retrieval, events));
}
