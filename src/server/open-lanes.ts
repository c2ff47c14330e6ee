import { laneOf, type TurnEvent, type TurnStep } from "../ports/turn-event.ts";

/** The lanes of a turn that have started but not had their final text. */
export interface OpenLanes {
  /** Sees the steps that are in the log. */
  observe(steps: readonly TurnStep[]): void;
  /** The events that end lanes that are cut off. */
  finalTexts(): TurnEvent[];
}

export function createOpenLanes(): OpenLanes {
  const open = new Set<string | undefined>();
  return {
    observe(steps) {
      for (const step of steps) {
        if (step.type === "status" && step.status === "starting") {
          if (step.showsText !== false) open.add(step.lane);
        } else if (step.type === "text" && step.final) open.delete(step.lane);
        // The lane starts again with another `starting`.
        else if (step.type === "reset") for (const { lane } of step.lanes) open.delete(lane);
        // This is the only end of a lane that was asked not to stream.
        else if (step.type === "lane-answer") open.delete(laneOf(step.answer));
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
