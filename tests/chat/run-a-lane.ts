import { type Lane, runLane } from "../../src/chat/lane.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { TurnEvent } from "../../src/ports/turn-event.ts";
import { brief, type ChatSetup, type Played, play } from "./chat-setup.ts";
import { naturalPacing } from "./paced-run.ts";

export const question = { model: "model-asked", input: [textMessage("user", "12345678")] };

export function laneOf(setup: ChatSetup, changes: Partial<Lane> = {}): Lane {
  return {
    key: "ada",
    choice: setup.choice,
    request: question,
    pacing: naturalPacing,
    showText: true,
    budget: setup.budget,
    onSent: setup.context.onSent,
    isFull: setup.context.isFull,
    signal: setup.context.signal,
    ...changes,
  };
}

/** Runs a lane to its end. */
export const run = (
  setup: ChatSetup,
  changes: Partial<Lane> = {},
  onBatch?: (batch: readonly TurnEvent[]) => void,
) => play((emit) => runLane(laneOf(setup, changes), setup.dependencies, emit), onBatch);

export const briefly = ({ events }: Pick<Played<unknown>, "events">) => events.map(brief);
