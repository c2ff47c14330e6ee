import { jsonChars } from "../ports/json.ts";
import type { ProviderEvent } from "../ports/provider.ts";

/** Maximum size of an answer, as a multiple of its maximum text: a response object repeats that, and there are tools and reasoning. */
const allOfText = 4;

/** Counts the characters that a provider makes the server keep, and lets only the allowed ones through. */
export class AnswerSize {
  readonly #maxTextChars: number;
  #textChars: number;
  #allChars: number;

  /** `begunChars`: text that another process has already shown. */
  constructor(maxTextChars: number, begunChars: number) {
    this.#maxTextChars = maxTextChars;
    this.#textChars = begunChars;
    this.#allChars = begunChars;
  }

  /** The part of a batch that fits; the batch itself if all of it does. */
  fitting(batch: ProviderEvent[]): ProviderEvent[] {
    let index = 0;
    for (const event of batch) {
      const chars = keptChars(event);
      const allRoom = allOfText * this.#maxTextChars - this.#allChars;
      const room = event.type === "text" ? Math.min(allRoom, this.#maxTextChars - this.#textChars) : allRoom;
      if (chars > room) return [...batch.slice(0, index), ...beginningOf(event, room)];
      this.#allChars += chars;
      if (event.type === "text") this.#textChars += chars;
      index += 1;
    }
    return batch;
  }
}

/** Characters of an event that are logged, or held until the answer ends. */
export function keptChars(event: ProviderEvent): number {
  switch (event.type) {
    case "text":
    case "reasoning":
      return event.text.length;
    case "tool":
      return event.payload === undefined ? 0 : jsonChars(event.payload);
    case "started":
    case "end":
      return event.response === undefined ? 0 : jsonChars(event.response);
    default:
      return 0;
  }
}

/** The start of a text, never cut inside a surrogate pair. Other events are of no use in part. */
function beginningOf(event: ProviderEvent, chars: number): ProviderEvent[] {
  if (event.type !== "text" || chars <= 0) return [];
  const text = event.text.slice(0, chars);
  const last = text.charCodeAt(text.length - 1);
  const isHalf = last >= 0xd800 && last <= 0xdbff;
  return [{ type: "text", text: isHalf ? text.slice(0, -1) : text }];
}
