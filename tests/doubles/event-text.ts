import type { WireEvent } from "./response-object.ts";

/** Any event: one of the API's own, or one that it may send some day. */
export type AnyEvent = WireEvent | { readonly type: string; readonly [field: string]: unknown };

/** One event as it is sent: an `event:` line, a `data:` line with the number after the type, an empty line. */
export function eventText(event: AnyEvent, sequenceNumber: number): string {
  const { type, ...fields } = event;
  return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequenceNumber, ...fields })}\n\n`;
}

/** Events as texts, numbered upwards from `firstNumber` (default 0, as the API does). */
export function eventTexts(events: readonly AnyEvent[], firstNumber = 0): string[] {
  return events.map((event, index) => eventText(event, firstNumber + index));
}
