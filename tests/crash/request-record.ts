import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import type { Ask } from "./any-ask.ts";
import type { Findings } from "./findings.ts";

/** A message with its place in a request. */
export type Numbered = ServerMessage & { readonly request_id: string; readonly seq: number };

/** Everything that any client saw of one request. */
export interface RequestRecord {
  readonly ask: Ask;
  /** The frames as received, by `seq` - 1. */
  readonly frames: readonly (string | undefined)[];
  /** The number of the terminal message, once a client has seen it. */
  readonly terminalSeq: number | undefined;
  /** The life of the server in which it was first seen; 0 before that. */
  readonly firstLife: number;
  /** When the server first told that it stops the request, on the scale of `Date.now()`; `undefined` if it did not. */
  readonly cancelledAtMs: number | undefined;
  /** Settles with the first message. */
  readonly begun: Promise<void>;
  noteCancelling(atMs: number): void;
  keep(message: Numbered, frame: string, life: number): void;
  /** Called when it has no more readers. Moves the frames to a file in this folder, from which later calls read them. */
  putAway(folder: string): void;
}

/** `isSame` compares two frames of one number. Default: byte by byte. */
export function createRequestRecord(
  ask: Ask,
  findings: Findings,
  isSame = (one: string, other: string) => one === other,
): RequestRecord {
  let frames: (string | undefined)[] = [];
  let file: string | undefined;
  let terminalSeq: number | undefined;
  let firstLife = 0;
  let cancelledAtMs: number | undefined;
  const begun = Promise.withResolvers<void>();
  return {
    begun: begun.promise,
    ask,
    get frames() {
      return file === undefined ? frames : readFrames(file);
    },
    get terminalSeq() {
      return terminalSeq;
    },
    get firstLife() {
      return firstLife;
    },
    get cancelledAtMs() {
      return cancelledAtMs;
    },
    noteCancelling(atMs) {
      cancelledAtMs ??= atMs;
    },
    keep(message, frame, life) {
      const { seq } = message;
      const known = frames[seq - 1];
      if (known !== undefined && !isSame(known, frame)) findings.note("changed", `${known} became ${frame}`);
      frames[seq - 1] ??= frame;
      firstLife ||= life;
      begun.resolve();
      const isTerminal = message.type === "response" || message.type === "error";
      const contradicts = isTerminal
        ? terminalSeq !== undefined && terminalSeq !== seq
        : seq > (terminalSeq ?? seq);
      if (contradicts)
        findings.note("second terminals", `${frame} beside the terminal message ${terminalSeq}`);
      if (isTerminal) terminalSeq ??= seq;
    },
    putAway(folder) {
      file = path.join(folder, `${ask.id}.json`);
      writeFileSync(file, JSON.stringify(frames));
      frames = [];
    },
  };
}

function readFrames(file: string): (string | undefined)[] {
  const frames = JSON.parse(readFileSync(file, "utf8")) as (string | null)[];
  return frames.map((frame) => frame ?? undefined);
}

export function isNumbered(message: ServerMessage): message is Numbered {
  return "seq" in message && message.seq !== undefined && "request_id" in message;
}

/**
 * One connection that follows one request from a position. It judges by the numbers alone whether a message was lost,
 * doubled or out of order.
 */
export interface Following {
  /** The newest number received. */
  readonly position: number;
  see(seq: number, frame: string): void;
}

export function startFollowing(after: number, findings: Findings): Following {
  const missing = new Set<number>();
  let position = after;
  return {
    get position() {
      return position;
    },
    see(seq, frame) {
      if (seq > position) {
        for (let absent = position + 1; absent < seq; absent += 1) missing.add(absent);
        if (seq > position + 1)
          findings.note("lost", `${position} was followed by ${frame}`, seq - position - 1);
        position = seq;
      } else if (missing.delete(seq)) {
        findings.note("reordered", `behind ${position} came ${frame}`);
      } else {
        findings.note("doubled", `behind ${position} came ${frame}`);
      }
    },
  };
}
