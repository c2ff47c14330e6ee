import type { Script, Step } from "./script.ts";
import { streamHead, streamScript } from "./stream-script.ts";
import type { Retrieval } from "./upstream-routes.ts";

/** The stream of an answer's first `count` events, and then what breaks it. */
export function brokenAfter(count: number, events: readonly string[], fault: Step): Script {
  return [streamHead(), ...events.slice(0, count).map((write) => ({ write })), fault];
}

/** What a response that goes on without its connection gives when it is asked for again: everything behind the number. */
export function eventsBehind({ startingAfter }: Retrieval, events: readonly string[]): string[] {
  return events.slice(startingAfter + 1);
}

/** The same as a stream to the end. */
export function restOf(retrieval: Retrieval, events: readonly string[]): Script {
  return streamScript(eventsBehind(retrieval, events));
}
