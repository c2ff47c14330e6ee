import type { ClientMessageInput } from "../../src/protocol/client-messages.ts";
import { type FaultShape, type Moment, mayRetry } from "../doubles/fault-shape.ts";

/** The kind of request, and how many of its lanes meet the fault. */
export const requestKinds = ["openai_chat", "chat", "multi_chat, 1 of 3", "multi_chat, 3 of 3"] as const;
export type RequestKind = (typeof requestKinds)[number];

/** One cell of the fault matrix. */
export interface FaultCell {
  readonly shape: FaultShape;
  readonly moment: Moment;
  readonly kind: RequestKind;
}

/** The expected result of one lane of a cell. */
export interface ExpectedLane {
  /** `undefined` for the nameless voice of `openai_chat`. */
  readonly personaId: string | undefined;
  readonly meetsFault: boolean;
  /** The text that is shown in the end, both for a completed and for a failed lane. */
  readonly text: string;
  /** The error code; `undefined` if it completes. */
  readonly code: string | undefined;
  /** The finish reason; `undefined` if it fails. */
  readonly finishReason: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** How often the upstream may be called for it. */
  readonly calls: { readonly least: number; readonly most: number };
}

const cast = ["tech_enthusiast", "creative_writer", "data_scientist"];
/** The lane of the three that meets the fault; neither the first nor the last. */
const unlucky = "creative_writer";
/** The first call and two repeats. */
const maxCalls = 3;

/** All cells of these shapes and kinds, shape by shape. */
export function cellsOf(shapes: readonly FaultShape[], kinds: readonly RequestKind[]): FaultCell[] {
  return shapes.flatMap((shape) =>
    kinds.flatMap((kind) => shape.moments.map((moment) => ({ shape, moment, kind }))),
  );
}

/** The cell's name in test reports. It is also in the question, by which the upstream double recognizes the cell. */
export function nameOf({ shape, moment, kind }: FaultCell): string {
  return `${shape.name}, ${moment}, ${kind}`;
}

/** Whether only time can end the cell's calls. */
export function isStall({ shape }: FaultCell): boolean {
  return shape.expect.code === "upstream_stalled" || shape.expect.code === "upstream_timeout";
}

/** The frame that asks the question of a cell. */
export function requestOf(cell: FaultCell): ClientMessageInput {
  const question = nameOf(cell);
  // All cells belong to one caller, and the server identifies a request by its caller and its id.
  const id = question.replace(/[^a-z0-9_]+/g, "-");
  if (cell.kind === "openai_chat") return { type: "openai_chat", id, data: { input_text: question } };
  if (cell.kind === "chat") return { type: "chat", id, data: { message: question, persona_id: unlucky } };
  return { type: "multi_chat", id, data: { message: question, persona_ids: cast } };
}

/** The lanes of a cell in the order of its personas. */
export function lanesOf(cell: FaultCell): ExpectedLane[] {
  if (cell.kind === "openai_chat") return [faultyLane(cell, undefined)];
  if (cell.kind === "chat") return [faultyLane(cell, unlucky)];
  return cast.map((personaId) =>
    cell.kind === "multi_chat, 3 of 3" || personaId === unlucky
      ? faultyLane(cell, personaId)
      : goodLane(personaId),
  );
}

function faultyLane({ shape, moment }: FaultCell, personaId: string | undefined): ExpectedLane {
  const { outcome, code, finishReason = "stop", retryAfterMs, retryExpected } = shape.expect;
  const fails = outcome === "error";
  const most = mayRetry(shape, moment) ? maxCalls : 1;
  return {
    personaId,
    meetsFault: true,
    text: shape.text(moment),
    code: fails ? code : undefined,
    finishReason: fails ? undefined : finishReason,
    retryAfterMs,
    calls: { least: retryExpected ? most : 1, most },
  };
}

function goodLane(personaId: string): ExpectedLane {
  return {
    personaId,
    meetsFault: false,
    text: `A good answer of ${personaId}: nothing is wrong in this lane.`,
    code: undefined,
    finishReason: "stop",
    retryAfterMs: undefined,
    calls: { least: 1, most: 1 },
  };
}
