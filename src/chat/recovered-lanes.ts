import type { ProviderEvent } from "../ports/provider.ts";
import {
  type LaneCheckpoint,
  laneOf,
  type PersonaAnswer,
  type TurnStep,
  voiceOf,
} from "../ports/turn-event.ts";
import type { TurnStop } from "../ports/turn-log.ts";
import { TroupeError } from "../protocol/errors.ts";

/** One lane in the log of a turn that another process started. */
export interface RecoveredLane {
  /** `undefined` for a nameless voice. */
  readonly key: string | undefined;
  readonly text: string;
  /** Code units of reasoning. */
  readonly reasoningUnits: number;
  readonly toolEvents: number;
  /** The log has its last text, or its answer. */
  readonly ended: boolean;
  /** Its status at the end, if its client was told. */
  readonly status: "completed" | "failed" | "cancelled" | undefined;
  /** The place from which its answer can be resumed. */
  readonly checkpoint: LaneCheckpoint | undefined;
  /** The part of `text` that belongs to earlier calls than the checkpoint's, in code units. Default 0. */
  readonly callTextUnits?: number;
  /** The link of its chain that was asked last, if that is not the first one. */
  readonly link?: { readonly api: string; readonly model: string | undefined };
  /** Its answer, if its client was told. */
  readonly answer: PersonaAnswer | undefined;
  /** A client has stopped it. Default false. */
  readonly isStopped?: boolean;
}

/** A lane that can be continued. */
export type BegunLane = RecoveredLane & { readonly checkpoint: LaneCheckpoint };

export function canGoOn(lane: RecoveredLane): lane is BegunLane {
  return lane.checkpoint !== undefined;
}

type SideStep = Extract<TurnStep, { type: "reasoning" | "tool" }>;

/** How much of a lane its log shows. */
type Shown = Pick<LaneCheckpoint, "textUnits" | "reasoningUnits" | "toolEvents">;

type Draft = { -readonly [Field in keyof RecoveredLane]: RecoveredLane[Field] } & {
  /** The part before each call, by the number of the call. */
  readonly beforeCalls: Shown[];
};

/** The lanes of a log, in the order in which they started, and which of them clients have stopped. */
export function recoverLanes(steps: readonly TurnStep[], stops: readonly TurnStop[] = []): RecoveredLane[] {
  const lanes = new Map<string | undefined, Draft>();
  const draftOf = (key: string | undefined): Draft => {
    const lane = lanes.get(key) ?? emptyLane(key);
    lanes.set(key, lane);
    return lane;
  };
  for (const step of steps) {
    switch (step.type) {
      case "status": {
        const lane = draftOf(step.lane);
        if (step.status === "completed") lane.status = "completed";
        // A lane tells each of its calls, and shows all of an answer before it makes the next call.
        if (step.status === "processing" && step.retry === undefined) lane.beforeCalls.push(shownOf(lane));
        if (step.retry?.api !== undefined) moveTo(lane, { api: step.retry.api, model: step.retry.model });
        break;
      }
      case "text": {
        const lane = draftOf(step.lane);
        lane.text += step.text;
        lane.ended ||= step.final;
        break;
      }
      case "reasoning":
      case "tool":
        addSide(draftOf(step.lane), step);
        break;
      case "lane-answer": {
        // This is the only text of a lane that was asked not to stream.
        const { text, status } = step.answer;
        Object.assign(draftOf(laneOf(step.answer)), { text, status, ended: true, answer: step.answer });
        break;
      }
      case "reset":
        for (const { lane } of step.lanes) lanes.set(lane, emptyLane(lane));
        break;
      case "checkpoint":
        draftOf(step.lane).checkpoint = step;
        break;
    }
  }
  const isStopped = ({ key }: Draft) =>
    stops.includes(null) || (key !== undefined && stops.includes(voiceOf(key).personaId ?? null));
  return [...lanes.values()].map((lane) =>
    isStopped(lane) ? { ...recovered(lane), isStopped: true } : recovered(lane),
  );
}

/** A checkpoint of a link that has failed is void. */
function moveTo(lane: Draft, link: NonNullable<RecoveredLane["link"]>): void {
  lane.link = link;
  lane.checkpoint = undefined;
}

function shownOf({ text, reasoningUnits, toolEvents }: Draft): Shown {
  return { textUnits: text.length, reasoningUnits, toolEvents };
}

/** A checkpoint is void if the log shows something of a later call: that call would give another answer. */
function recovered({ beforeCalls, ...lane }: Draft): RecoveredLane {
  const { text, reasoningUnits, toolEvents, checkpoint } = lane;
  if (checkpoint === undefined) return lane;
  const { call = 0 } = checkpoint;
  const later = beforeCalls[call + 1];
  const isVoid =
    later !== undefined &&
    (text.length > later.textUnits || reasoningUnits > later.reasoningUnits || toolEvents > later.toolEvents);
  if (isVoid) return { ...lane, checkpoint: undefined };
  return { ...lane, callTextUnits: beforeCalls[call]?.textUnits ?? 0 };
}

function addSide(counts: { reasoningUnits: number; toolEvents: number }, step: SideStep): void {
  if (step.type === "reasoning") counts.reasoningUnits += step.text.length;
  else counts.toolEvents += 1;
}

function emptyLane(key: string | undefined): Draft {
  return {
    key,
    text: "",
    reasoningUnits: 0,
    toolEvents: 0,
    ended: false,
    status: undefined,
    checkpoint: undefined,
    answer: undefined,
    beforeCalls: [],
  };
}

/**
 * Skips the part of a resumed answer that its lane has already shown. The answer is told again from the lane's checkpoint on, but the
 * lane may have shown more. Checkpoints inside the skipped part are dropped. If more text follows although the lane had its last text, it
 * was stopped, and ends as `interrupted`.
 */
export async function* behindShown(
  source: AsyncIterable<ProviderEvent[]>,
  { text, reasoningUnits, toolEvents, ended, checkpoint }: BegunLane,
): AsyncGenerator<ProviderEvent[]> {
  let shownUnits = text.length - checkpoint.textUnits;
  let shownReasoning = reasoningUnits - checkpoint.reasoningUnits;
  let shownTools = toolEvents - checkpoint.toolEvents;

  function* leftOf(event: ProviderEvent): Generator<ProviderEvent> {
    if (event.type === "text") {
      const rest = event.text.slice(shownUnits);
      shownUnits -= event.text.length - rest.length;
      if (rest === "") return;
      if (ended) throw new TroupeError("interrupted");
      yield { type: "text", text: rest };
    } else if (event.type === "reasoning") {
      const rest = event.text.slice(shownReasoning);
      shownReasoning -= event.text.length - rest.length;
      if (rest !== "") yield { type: "reasoning", text: rest };
    } else if (event.type === "tool") {
      if (shownTools > 0) shownTools -= 1;
      else yield event;
    } else if (
      event.type !== "checkpoint" ||
      (shownUnits === 0 && shownReasoning === 0 && shownTools === 0)
    ) {
      yield event;
    }
  }

  for await (const batch of source) {
    const left = batch.flatMap((event) => [...leftOf(event)]);
    if (left.length > 0) yield left;
  }
}
