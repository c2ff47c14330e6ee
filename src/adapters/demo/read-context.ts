import { type Item, textOf } from "../../ports/item.ts";

/** The facts of a context that a script uses. */
interface ReadContext {
  /** The words to answer; empty if there are none. */
  readonly question: string;
  /** How many questions the context holds. */
  readonly questionCount: number;
  /** The last earlier question that had any words. */
  readonly earlierQuestion?: string;
  /** Names of the other voices that answered after the previous question, each once, in order. */
  readonly otherSpeakers: readonly string[];
}

/** The form in which a persona is shown another voice's answer: `(Name answered:)`, then the words as a quotation. */
const wordsOfOthers = /^\((.+) answered:\)\n> /u;

/** Separates the questions in a context from the answers of other voices. A script reads only the words of messages. */
export function readContext(input: readonly Item[]): ReadContext {
  const heard = input
    .flatMap((item) => (item.type === "message" && item.role === "user" ? [textOf(item.parts)] : []))
    .map((text) => ({ text, speaker: wordsOfOthers.exec(text)?.[1] }));
  const questions = heard.filter(({ speaker }) => speaker === undefined);
  const before = questions.at(-2);
  const sinceThen = before === undefined ? heard : heard.slice(heard.indexOf(before));
  const earlierQuestion = questions.slice(0, -1).findLast(({ text }) => text.trim() !== "")?.text;
  return {
    question: (questions.at(-1) ?? heard.at(-1))?.text ?? "",
    questionCount: questions.length,
    ...(earlierQuestion !== undefined && { earlierQuestion }),
    otherSpeakers: [...new Set(sinceThen.flatMap(({ speaker }) => speaker ?? []))],
  };
}
