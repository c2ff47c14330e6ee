import { isObject } from "../../ports/json.ts";
import { type LaneTextEvent, laneTexts } from "../turn-log/memory-turn-log.ts";

/**
 * Compacts the log of an ended turn to its `CompactedLog`; its numbers start after `afterSeq`. Takes and returns JSON of the same version.
 * It returns `undefined` for a log that cannot be read.
 *
 * It runs in the database's thread, where the schemas of `stored-shapes.ts` would take too much memory. So it checks by hand the fields that
 * it reads, and copies the last event as it is. A reader checks that event against its schema.
 */
export function compactLog(text: string, afterSeq: number): string | undefined {
  const events = eventsIn(text);
  const terminal = events?.at(-1);
  if (events === undefined || terminal === undefined) return undefined;
  return JSON.stringify({ throughSeq: afterSeq + events.length - 1, lanes: laneTexts(events), terminal });
}

function eventsIn(text: string): readonly LaneTextEvent[] | undefined {
  try {
    const events: unknown = JSON.parse(text);
    return Array.isArray(events) && events.every(isLaneTextEvent) ? events : undefined;
  } catch {
    return undefined;
  }
}

function isLaneTextEvent(event: unknown): event is LaneTextEvent {
  if (!isObject(event)) return false;
  const { type, lane, text, lanes, answer } = event;
  switch (type) {
    case "text":
      return typeof text === "string" && isLane(lane);
    case "reset":
      return Array.isArray(lanes) && lanes.every((one) => isObject(one) && isLane(one.lane));
    case "lane-answer":
      return (
        isObject(answer) &&
        typeof answer.text === "string" &&
        isLane(answer.lane) &&
        isObject(answer.persona) &&
        typeof answer.persona.id === "string"
      );
    case "status":
    case "reasoning":
    case "tool":
    case "answer":
    case "failure":
      return true;
    default:
      return false;
  }
}

function isLane(lane: unknown): boolean {
  return lane === undefined || typeof lane === "string";
}
