import { answerParts, eventsOf } from "../../doubles/answer.ts";
import { eventTexts } from "../../doubles/event-text.ts";
import { type CallInput, lastQuestion } from "../../doubles/read-call.ts";
import { httpError, streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble, type RecordedRequest } from "../../doubles/upstream-double.ts";

/** A question's content: its name, so that no word can be taken for another answer's, and how it is answered. */
export interface WordPlan {
  readonly name: string;
  readonly words: number;
  /** Shorter words are padded to this many characters. Default 0. */
  readonly wordChars?: number;
  /** Words in one packet. Default 1. */
  readonly wordsAtOnce?: number;
  /** Milliseconds between two packets. */
  readonly intervalMs: number;
  /** Milliseconds before the answer starts. */
  readonly firstByteMs?: number;
  /** Number of its calls that are refused before one is answered. */
  readonly refusals?: number;
}

export const questionOf = (plan: WordPlan): string => JSON.stringify(plan);

export const wordsOf = ({ name, words, wordChars = 0 }: WordPlan): string[] =>
  Array.from({ length: words }, (_, index) => `${`${name}/${index}`.padEnd(wordChars, ".")} `);

/** The question of a provider call, which is the whole input or its last message. */
export function planOf({ body }: RecordedRequest): WordPlan {
  const { input } = body as { input: CallInput };
  return JSON.parse(lastQuestion(input));
}

/** An upstream that answers each question with its own words. Every call gets its own connection. */
export async function startWordUpstream() {
  const double = await createUpstreamDouble({ keepAlive: false });
  const callsByName = new Map<string, number>();
  double.respond((request) => {
    const plan = planOf(request);
    const calls = callsByName.get(plan.name) ?? 0;
    callsByName.set(plan.name, calls + 1);
    if (calls < (plan.refusals ?? 0)) {
      return httpError(503, { message: "Busy.", type: "server_error", code: "server_is_overloaded" });
    }
    const parts = answerParts({ deltas: wordsOf(plan) });
    const events = eventTexts(eventsOf(parts));
    const wordsFrom = parts.prologue.length;
    const packets = [events.slice(0, wordsFrom).join("")];
    const wordsAtOnce = plan.wordsAtOnce ?? 1;
    for (let word = 0; word < plan.words; word += wordsAtOnce) {
      const end = Math.min(word + wordsAtOnce, plan.words);
      packets.push(events.slice(wordsFrom + word, wordsFrom + end).join(""));
    }
    const rest = events.slice(wordsFrom + plan.words).join("");
    const answer = streamScript([...packets, rest], { betweenEvents: () => [{ delayMs: plan.intervalMs }] });
    return [{ delayMs: plan.firstByteMs ?? 0 }, ...answer];
  });
  return double;
}
