import { answerParent } from "../load/child-program.ts";
import { watchStalls } from "./watch-stalls.ts";

/** A process that does nothing but sleep: if it is late, the machine stood still. */
const stalls = watchStalls();
const answers = { takeStalls: () => stalls.take() };
export type ControlAnswers = typeof answers;

answerParent(answers);
