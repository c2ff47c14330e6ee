import type { z } from "zod";
import { type ErrorCode, errorTable, TroupeError } from "../protocol/errors.ts";
import { isObject } from "./json.ts";
import { earlierCheckpoint, storedCheckpoint, type storedError, storedEvent } from "./stored-shapes.ts";
import type { LaneCheckpoint, PersonaAnswer, TurnAnswer, TurnEvent, TurnStep } from "./turn-event.ts";

/** Content that this version cannot read. The message names the place of the fault, and never quotes the content. */
export class UnreadableError extends Error {
  override readonly name = "UnreadableError";
}

/**
 * Throws `UnreadableError` unless a value fits a schema. The value itself is used further on, because zod's copy has its keys in another
 * order.
 */
export function check<S extends z.ZodType>(
  schema: S,
  value: unknown,
  place = "",
): asserts value is z.output<S> {
  const checked = schema.safeParse(value);
  if (checked.success) return;
  const [issue] = checked.error.issues;
  const path = [place, ...(issue?.path ?? [])].filter((part) => part !== "").join(".");
  throw new UnreadableError(
    `${path === "" ? "" : `${path}: `}${issue?.message ?? "it does not fit its schema"}`,
  );
}

/** The event in parsed JSON; `place` names it in the error if it is not one. */
export function toEvent(event: unknown, place: number | string): TurnEvent {
  if (isPlain(event)) return event;
  check(storedEvent, event, String(place));
  switch (event.type) {
    case "failure":
      return { ...event, error: revive(event.error) };
    case "lane-answer":
      return { ...event, answer: reviveAnswer(event.answer) };
    case "answer":
      return { ...event, answer: reviveAnswers(event.answer) };
    default:
      return event;
  }
}

/** The event or the checkpoint in parsed JSON. */
export function toStep(step: unknown, place: number | string): TurnStep {
  if (!isObject(step) || step.type !== "checkpoint") return toEvent(step, place);
  check(storedCheckpoint, step, String(place));
  return step;
}

/** A checkpoint of version 1. */
export type EarlierCheckpoint = z.output<typeof earlierCheckpoint>;

/** The checkpoint in parsed JSON of a version. */
export function toCheckpoint(
  checkpoint: unknown,
  place: string,
  version: number,
): LaneCheckpoint | EarlierCheckpoint {
  if (version === 1 && isObject(checkpoint) && "sideEvents" in checkpoint) {
    check(earlierCheckpoint, checkpoint, place);
    return checkpoint;
  }
  check(storedCheckpoint, checkpoint, place);
  return checkpoint;
}

type PlainEvent = Extract<TurnEvent, { type: "text" | "reasoning" }>;

/**
 * Whether it is text or reasoning. Nearly all events are, so they are checked by hand: with their schema, reading them takes a quarter
 * longer (measured).
 */
export function isPlain(event: unknown): event is PlainEvent {
  if (!isObject(event)) return false;
  const { type, text, lane, final } = event;
  if (typeof text !== "string" || (lane !== undefined && typeof lane !== "string")) return false;
  return type === "text" ? typeof final === "boolean" : type === "reasoning";
}

type StoredEvent<T> = Extract<z.output<typeof storedEvent>, { type: T }>;

/** Makes an error of its data. A code that this version does not know becomes `internal_error`. */
export function revive({
  troupe_error: code,
  retryAfterMs,
  ...options
}: z.output<typeof storedError>): TroupeError {
  return new TroupeError(isErrorCode(code) ? code : "internal_error", {
    ...options,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: retryAfterMs ?? Infinity }),
  });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

function reviveAnswer(answer: StoredEvent<"lane-answer">["answer"]): PersonaAnswer {
  const { error, ...rest } = answer;
  return error === undefined ? rest : { ...answer, error: revive(error) };
}

function reviveAnswers(answer: StoredEvent<"answer">["answer"]): TurnAnswer {
  switch (answer.kind) {
    case "responses": {
      const { error, ...rest } = answer;
      return error === undefined ? rest : { ...answer, error: revive(error) };
    }
    case "persona":
      return { ...answer, answer: reviveAnswer(answer.answer) };
    case "personas":
      return { ...answer, answers: answer.answers.map(reviveAnswer) };
  }
}

/** Counts of a lane's reasoning and tool events. */
type SideCounts = Pick<LaneCheckpoint, "reasoningUnits" | "toolEvents">;

const noSides: SideCounts = { reasoningUnits: 0, toolEvents: 0 };

/** Brings all steps of a turn into the shapes of this version. Each of them is of this version or of the one before. */
export function upgradeSteps(steps: readonly (TurnStep | EarlierCheckpoint)[]): TurnStep[] {
  /** For each lane, the counts after each of its reasoning and tool events. */
  const sides = new Map<string | undefined, SideCounts[]>();
  return steps.map((step) => {
    if ("sideEvents" in step) {
      const { sideEvents, ...checkpoint } = step;
      const ofLane = sides.get(step.lane) ?? [];
      return { ...checkpoint, ...(ofLane[Math.min(sideEvents, ofLane.length) - 1] ?? noSides) };
    }
    if (step.type === "reset") for (const { lane } of step.lanes) sides.delete(lane);
    if (step.type !== "reasoning" && step.type !== "tool") return step;
    const ofLane = sides.get(step.lane) ?? [];
    const { reasoningUnits, toolEvents } = ofLane.at(-1) ?? noSides;
    ofLane.push(
      step.type === "tool"
        ? { reasoningUnits, toolEvents: toolEvents + 1 }
        : { reasoningUnits: reasoningUnits + step.text.length, toolEvents },
    );
    sides.set(step.lane, ofLane);
    return step;
  });
}
