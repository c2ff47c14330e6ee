import type { TurnEvent } from "../../ports/turn-event.ts";
import type { LaneText } from "../../ports/turn-log.ts";

/** The text that each lane has shown in these events; a lane that does not stream shows its text with its answer. */
export function laneTexts(events: readonly TurnEvent[]): LaneText[] {
  const texts = new Map<string | undefined, string>();
  for (const event of events) {
    if (event.type === "text") texts.set(event.lane, (texts.get(event.lane) ?? "") + event.text);
    else if (event.type === "reset") for (const { lane } of event.lanes) texts.set(lane, "");
    else if (event.type === "lane-answer") texts.set(event.answer.persona.id, event.answer.text);
  }
  return [...texts].map(([lane, text]) => (lane === undefined ? { text } : { lane, text }));
}
