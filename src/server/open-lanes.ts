import type { TurnEvent, TurnStep } from "../ports/turn-event.ts";

/** The lanes of a turn that have begun and not had their final text. */
export interface OpenLanes {
  /** What is in the log. */
  observe(steps: readonly TurnStep[]): void;
  /** What a lane that is cut off ends with. */
  finalTexts(): TurnEvent[];
}

export function createOpenLanes(): OpenLanes {
  const open = new Set<string | undefined>();
  return {
    observe(steps) {
      for (const step of steps) {
        if (step.type === "status" && step.status === "starting") open.add(step.lane);
        else if (step.type === "text" && step.final) open.delete(step.lane);
        // It begins anew with a `starting` of its own.
        else if (step.type === "reset") for (const { lane } of step.lanes) open.delete(lane);
        // A lane that was asked not to stream has its end only here.
        else if (step.type === "lane-answer") open.delete(step.answer.persona.id);
      }
    },
    finalTexts: () =>
      [...open].map((lane) => ({
        type: "text",
        text: "",
        final: true,
        ...(lane === undefined ? {} : { lane }),
      })),
  };
}
