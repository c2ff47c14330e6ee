import os from "node:os";
import { answerParent } from "../load/child-program.ts";
import type { Target } from "./attack.ts";
import { attacks } from "./attack-list.ts";

// An attacker has a machine of its own. Here it takes only what others leave, so that a pause is not one of its making.
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
