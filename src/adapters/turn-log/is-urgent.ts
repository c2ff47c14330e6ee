import type { TurnStep } from "../../ports/turn-event.ts";

/** Whether a step must not wait for the beat. Text that is not final can wait, because a lane's first text comes with its status. */
export function isUrgent(step: TurnStep): boolean {
  if (step.type === "text") return step.final;
  return step.type !== "reasoning" && step.type !== "checkpoint";
}
