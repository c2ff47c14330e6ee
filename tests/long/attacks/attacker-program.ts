import os from "node:os";
import { answerParent } from "../load/child-program.ts";
import type { Target } from "./attack.ts";
import { attacks } from "./attack-list.ts";

// A real attacker has another machine. Here it gets only the processor time that others leave, so that it causes no pause
// itself.
os.setPriority(os.constants.priority.PRIORITY_LOW);

const answers = {
  async attack(name: string, target: Target) {
    const found = attacks.find((attack) => attack.name === name);
    if (found === undefined) throw new Error(`there is no attack ${name}`);
    return await found.attack(target).catch((error: unknown) => `broken off: ${String(error)}`);
  },
};
export type AttackerAnswers = typeof answers;

answerParent(answers);
