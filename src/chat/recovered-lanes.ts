import type { LaneCheckpoint, PersonaAnswer, TurnStep } from "../ports/turn-event.ts";

/** What the log of a turn that another process began holds of one lane. */
export interface RecoveredLane {
  /** The persona's id; absent for a nameless voice. */
  readonly name: string | undefined;
  readonly text: string;
  /** Reasoning and tool events. */
  readonly sideEvents: number;
  /** Its last text was there, or its answer. */
  readonly ended: boolean;
  /** How it ended, where its client was told. */
  readonly status: "completed" | "failed" | "cancelled" | undefined;
  /** Where its answer can be taken up again. */
  readonly checkpoint: LaneCheckpoint | undefined;
  /** What it came to, where its client was told that. */
  readonly answer: PersonaAnswer | undefined;
}

/** A lane that can be gone on with. */
export type BegunLane = RecoveredLane & { readonly checkpoint: LaneCheckpoint };

export function canGoOn(lane: RecoveredLane): lane is BegunLane {
  return lane.checkpoint !== undefined;
}

type Draft = { -readonly [Field in keyof RecoveredLane]: RecoveredLane[Field] };

/** The lanes of a log, in the order in which they began. */
export function recoverLanes(steps: readonly TurnStep[]): RecoveredLane[] {
  const lanes = new Map<string | undefined, Draft>();
  const laneOf = (name: string | undefined): Draft => {
    const lane = lanes.get(name) ?? emptyLane(name);
    lanes.set(name, lane);
    return lane;
  };
  for (const step of steps) {
    switch (step.type) {
      case "status": {
        const lane = laneOf(step.lane);
        if (step.status === "completed") lane.status = "completed";
        break;
      }
      case "text": {
        const lane = laneOf(step.lane);
        lane.text += step.text;
        lane.ended ||= step.final;
        break;
      }
      case "reasoning":
      case "tool":
        laneOf(step.lane).sideEvents += 1;
        break;
      case "lane-answer": {
        // A lane that was asked not to stream has shown its text only here.
        const { persona, text, status } = step.answer;
        Object.assign(laneOf(persona.id), { text, status, ended: true, answer: step.answer });
        break;
      }
      case "reset":
        for (const { lane } of step.lanes) lanes.set(lane, emptyLane(lane));
        break;
      case "checkpoint":
        laneOf(step.lane).checkpoint = step;
        break;
    }
  }
  return [...lanes.values()];
}

function emptyLane(name: string | undefined): Draft {
  return {
    name,
    text: "",
    sideEvents: 0,
    ended: false,
    status: undefined,
    checkpoint: undefined,
    answer: undefined,
  };
}
