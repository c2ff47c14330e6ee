import type { TroupeError } from "../protocol/errors.ts";
import type { LaneRole } from "../protocol/fields.ts";
import type { JsonObject } from "./json.ts";
import type { PublicPersona } from "./persona.ts";
import type { FinishReason, Usage } from "./provider.ts";

/** The effect of a cancel upstream. */
export interface CancelReport {
  /** Nothing of the upstream call is still open. */
  readonly upstreamClosed: boolean;
  /** Time from the cancel to the end of the upstream connection. */
  readonly closedInMs: number;
}

/** A source of an answer. */
export interface AnswerSource {
  /** Its number in the answer, from 0. */
  readonly index: number;
  readonly url: string;
  readonly title?: string;
  /** The parts of the lane's text that it stands behind, in code units, if the vendor tells them. */
  readonly places?: readonly { readonly start: number; readonly end: number }[];
}

/** One finished speech of a persona. */
export interface PersonaAnswer {
  readonly persona: PublicPersona;
  /** Its lane, if that is not the persona's id (`laneOf`). */
  readonly lane?: string;
  /** The persona's index in the request's list. */
  readonly index: number;
  readonly status: "completed" | "failed" | "cancelled";
  readonly text: string;
  readonly messageId?: string;
  readonly model: string;
  readonly api: string;
  readonly finishReason?: FinishReason;
  readonly usage?: Usage;
  readonly error?: TroupeError;
  readonly cancel?: CancelReport;
  readonly simulated: boolean;
}

/** The whole answer of a turn, by the kind of its request. */
export type TurnAnswer = { readonly finishReason: FinishReason; readonly cancel?: CancelReport } & (
  | {
      readonly kind: "responses";
      readonly text: string;
      /** The vendor's own object; empty if it has none. */
      readonly response: JsonObject;
      /** Present if the vendor did not get to its end: then `response` is its last snapshot, and `model` the model asked for. */
      readonly partial?: "cancelled" | "incomplete";
      readonly model?: string;
      /** The usage so far. Earlier versions stored it only with `partial`. */
      readonly usage?: Usage;
      /** The endpoint that answered; absent if it is the one that was asked first. */
      readonly api?: string;
      readonly simulated: boolean;
      /** `invalid_output`, if the text does not have the form that was asked for. */
      readonly error?: TroupeError;
    }
  | {
      readonly kind: "persona";
      readonly answer: PersonaAnswer;
      /** Absent if the request brought its history. */
      readonly conversationId?: string;
    }
  | {
      readonly kind: "personas";
      readonly answers: readonly PersonaAnswer[];
      readonly combined: string;
      readonly outcome: "complete" | "degraded";
      readonly conversationId?: string;
      /** Of all lanes together. */
      readonly usage?: Usage;
    }
);

/**
 * An event of a turn, independent of doors. `lane` is the lane's key (`laneKey`), absent if the turn has one nameless voice. Every event
 * is one numbered entry of the turn's log.
 */
export type TurnEvent =
  | {
      readonly type: "status";
      readonly lane?: string;
      readonly status: "starting" | "processing" | "streaming" | "completed";
      /** Present on `starting` if the answer goes into a conversation. */
      readonly conversationId?: string;
      /** Present on `processing` when a failed attempt is repeated, or when another link of its chain is asked. */
      readonly retry?: RepeatedAttempt;
      readonly simulated: boolean;
      /** Present on `completed` if the model does not take these parameters of the request, so that it answered without them. */
      readonly ignored?: readonly string[];
      /** On `streaming`: the tokens of the lane so far, if the request asked for them. The output is an estimate. */
      readonly usage?: Usage;
      /** On `starting`: false if the lane shows its text only as a whole, so that it has no final text event. Default true. */
      readonly showsText?: boolean;
    }
  | { readonly type: "text"; readonly lane?: string; readonly text: string; readonly final: boolean }
  | { readonly type: "reasoning"; readonly lane?: string; readonly text: string }
  | {
      readonly type: "tool";
      readonly lane?: string;
      readonly tool: string;
      readonly status: string;
      readonly callId: string;
      readonly payload?: JsonObject;
    }
  /** After the last text of a completed lane. */
  | ({ readonly type: "source"; readonly lane?: string } & AnswerSource)
  | { readonly type: "lane-answer"; readonly answer: PersonaAnswer }
  /** These lanes start again: their earlier text is void. */
  | { readonly type: "reset"; readonly lanes: readonly { readonly lane?: string }[] }
  | TerminalEvent;

/** A failed attempt that another one follows. */
export interface RepeatedAttempt {
  /** Number of the attempt that failed, from 1. With `api`: the number of links that have failed. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly code: string;
  /** The endpoint and the model of the next attempt. Both absent: the same as before. */
  readonly api?: string;
  readonly model?: string;
}

/**
 * A place from which a lane's answer can be resumed, also by another process. It has no number, and followers never see it: a log keeps
 * it together with the events that it comes with.
 */
export interface LaneCheckpoint {
  readonly type: "checkpoint";
  readonly lane?: string;
  /** The part of the lane before `place`: code units of text and of reasoning, and tool events. */
  readonly textUnits: number;
  readonly reasoningUnits: number;
  readonly toolEvents: number;
  /** The provider's own note; see `Provider`. */
  readonly place: JsonObject;
  /** Number of the call in its lane, from 0. Absent for the first one. */
  readonly call?: number;
  /** The usage of the calls before it; absent for the first one. */
  readonly earlierUsage?: Usage;
}

/** An entry that a turn writes into its log. */
export type TurnStep = TurnEvent | LaneCheckpoint;

/** The last event of a turn; there is exactly one. */
export type TerminalEvent =
  | { readonly type: "answer"; readonly status: "completed" | "cancelled"; readonly answer: TurnAnswer }
  | { readonly type: "failure"; readonly error: TroupeError; readonly lane?: string };

/** The fields of an answer that tell its lane. */
export type LaneOfAnswer = Pick<PersonaAnswer, "lane"> & { readonly persona: Pick<PublicPersona, "id"> };

/** The lane that an answer was made in. */
export function laneOf({ lane, persona }: LaneOfAnswer): string {
  return lane ?? persona.id;
}

export function isEvent(step: TurnStep): step is TurnEvent {
  return step.type !== "checkpoint";
}

export function isCheckpoint(step: TurnStep): step is LaneCheckpoint {
  return step.type === "checkpoint";
}

export function isTerminal(step: TurnStep): step is TerminalEvent {
  return step.type === "answer" || step.type === "failure";
}

/**
 * The step as a log may store it: its errors are data (`TroupeError.asData`), without their causes, and a usage without a price says so.
 */
export function asStored<Step extends TurnStep>(step: Step): Step;
export function asStored(step: TurnStep): TurnStep {
  switch (step.type) {
    case "failure":
      return { ...step, error: step.error.asData() };
    case "lane-answer":
      return { ...step, answer: storedAnswer(step.answer) };
    case "answer":
      return { ...step, answer: storedAnswers(step.answer) };
    default:
      return step;
  }
}

function storedAnswers(answer: TurnAnswer): TurnAnswer {
  if (answer.kind === "responses") return storedAnswer(answer);
  return answer.kind === "persona"
    ? { ...answer, answer: storedAnswer(answer.answer) }
    : storedAnswer({ ...answer, answers: answer.answers.map(storedAnswer) });
}

function storedAnswer<Answer extends { readonly error?: TroupeError; readonly usage?: Usage }>(
  answer: Answer,
): Answer {
  const { error, usage } = answer;
  return {
    ...answer,
    ...(error === undefined ? {} : { error: error.asData() }),
    ...(usage === undefined || usage.cost !== undefined ? {} : { usage: { ...usage, cost: null } }),
  };
}

/** Whether a step must not wait for the beat. Text that is not final can wait, because a lane's first text comes with its status. */
export function isUrgent(step: TurnStep): boolean {
  if (step.type === "text") return step.final;
  return step.type !== "reasoning" && step.type !== "checkpoint";
}

/** The facts about a lane that clients are told. */
export interface Voice {
  /** Absent for the one nameless voice of a plain call. */
  readonly personaId?: string;
  /** From 0. Absent if every persona speaks once. */
  readonly round?: number;
  readonly role?: LaneRole;
}

/** Between the parts of a key. Ids have no control characters. */
const separator = "\n";

/**
 * The key of a lane: equal for equal voices, in every process. The key of a persona that speaks once is its id, as earlier versions
 * stored it. Only this file looks into a key.
 */
export function laneKey({ personaId = "", round, role }: Voice): string {
  return round === undefined && role === undefined
    ? personaId
    : [personaId, round ?? "", role ?? ""].join(separator);
}

/** The voice of a lane; the nameless one for `undefined`. */
export function voiceOf(key: string | undefined): Voice {
  if (key === undefined) return {};
  if (!key.includes(separator)) return { personaId: key };
  const [personaId, round = "", role = ""] = key.split(separator);
  return {
    ...(personaId === "" ? {} : { personaId }),
    ...(round === "" ? {} : { round: Number(round) }),
    ...(role === "" ? {} : { role: role as LaneRole }),
  };
}
