import { eventText } from "../doubles/event-text.ts";
import type { Step } from "../doubles/script.ts";
import { numberOf } from "./numbered-answer.ts";

/** Ways in which an upstream breaks off an answer, as steps that replace its second half. */
const breaks: readonly (readonly Step[])[] = [
  [{ reset: true }],
  [{ fin: true }],
  [{ end: true }],
  [
    {
      write: eventText(
        { type: "error", code: "server_error", message: "The upstream failed.", param: null },
        0,
      ),
    },
  ],
];

/** One in so many answers is broken off. */
const answersPerBreak = 100;

/** How the answer of one voice is broken off in its middle; always the same for one request. Most answers are not. */
export function breakOf(id: string, voice: string): readonly Step[] | undefined {
  const number = numberOf(`${voice}\n${id}`);
  return number % answersPerBreak === 0 ? breaks[(number / answersPerBreak) % breaks.length] : undefined;
}
