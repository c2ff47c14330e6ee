import { apiOf, apis } from "../../../bench/upstream/api-events.ts";
import { answerParts, eventsOf } from "../../doubles/answer.ts";
import { eventTexts } from "../../doubles/event-text.ts";
import { httpError, streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble, type RecordedRequest } from "../../doubles/upstream-double.ts";
import { responsesVendor } from "../../faults/vendors/fault-vendor.ts";
import { otherVendors } from "../../faults/vendors/other-vendors.ts";

/** The APIs that the upstream speaks, by the kinds of endpoints. */
export const spokenApis = [responsesVendor, ...otherVendors];

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

/** The question of a provider call, over any API. */
export function planOf({ path, body }: RecordedRequest): WordPlan {
  const vendor = spokenApis.find(({ isCall }) => isCall(path));
  if (vendor === undefined) throw new Error(`no API has the path ${path}`);
  return JSON.parse(vendor.readCall(body).question);
}

/** The events of an answer over the API of a path: those before the words, of each word, and after them. */
function eventsFor(path: string, plan: WordPlan) {
  const words = wordsOf(plan);
  const api = apiOf(path) ?? "responses";
  if (api !== "responses") {
    const { opening, delta, closing } = apis[api].events;
    return { before: opening(), ofWords: words.map(delta), after: closing(words.length) };
  }
  // Unlike the events of the benchmark, these end with the whole text.
  const parts = answerParts({ deltas: words });
  const events = eventTexts(eventsOf(parts));
  const from = parts.prologue.length;
  const end = from + words.length;
  return {
    before: events.slice(0, from).join(""),
    ofWords: events.slice(from, end),
    after: events.slice(end).join(""),
  };
}

/** An upstream that answers each question with its own words, over the API that it is asked. Every call gets its own connection. */
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
    const { before, ofWords, after } = eventsFor(request.path, plan);
    const packets = [before];
    const wordsAtOnce = plan.wordsAtOnce ?? 1;
    for (let word = 0; word < plan.words; word += wordsAtOnce)
      packets.push(ofWords.slice(word, word + wordsAtOnce).join(""));
    const sent = [...packets, after].filter((packet) => packet !== "");
    const answer = streamScript(sent, { betweenEvents: () => [{ delayMs: plan.intervalMs }] });
    return [{ delayMs: plan.firstByteMs ?? 0 }, ...answer];
  });
  return double;
}
