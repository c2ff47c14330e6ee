import { answerParts, eventsOf } from "../../doubles/answer.ts";
import { eventTexts } from "../../doubles/event-text.ts";
import { type CallInput, lastQuestion, personaOf } from "../../doubles/read-call.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { answerParent } from "./child-program.ts";
import { knownWords, pieceIntervalMs, wordsPerPiece } from "./known-text.ts";

interface Call {
  readonly model: string;
  readonly input: CallInput;
  readonly instructions?: string;
}

const double = await createUpstreamDouble();
double.respond(({ body }) => {
  const { input, instructions, model } = body as Call;
  const question = lastQuestion(input);
  const words = knownWords(question, personaOf(instructions) ?? "");
  const deltas: string[] = [];
  for (let start = 0; start < words.length; start += wordsPerPiece) {
    deltas.push(words.slice(start, start + wordsPerPiece).join(""));
  }
  const parts = answerParts({ deltas, model });
  const isDelta = (index: number) =>
    index >= parts.prologue.length && index < parts.prologue.length + deltas.length;
  return streamScript(eventTexts(eventsOf(parts)), {
    betweenEvents: (index) => (isDelta(index) ? [{ delayMs: pieceIntervalMs }] : []),
  });
});

const answers = {
  baseUrl: () => double.baseUrl,
  traffic: () => ({
    calls: double.requests.length,
    unfinished: double.requests.filter(({ finished }) => !finished).length,
    openConnections: double.openConnections(),
  }),
};
export type UpstreamAnswers = typeof answers;

answerParent(answers);
