import { z } from "zod";
import type { TurnQuestion } from "../../../ports/conversation-store.ts";
import { storedItems } from "../../../ports/item.ts";
import type { TurnPlace, TurnRecord, TurnStop } from "../../../ports/turn-log.ts";
import { caller } from "./handshake-methods.ts";
import { type Methods, nothing } from "./remote-port.ts";

/** A kept turn as it was when it was found; `follow` gives its events. */
export interface FoundTurn {
  readonly record: TurnRecord;
  /** Distinguishes its log from all others that the asked process has had, even one of the same name. */
  readonly identity: number;
  readonly headSeq: number;
  readonly ended: boolean;
}

/** A turn that another process left running, and that the asking process is to recover. */
export interface LeftTurn {
  readonly turn: number;
  readonly record: TurnRecord;
  /** Its events and checkpoints, as JSON. */
  readonly steps: string;
  /** The request with which it can go on, as JSON. */
  readonly request?: string;
  readonly stops: readonly TurnStop[];
}

/** The methods that the process with the logs offers to one that runs turns. A running turn is named by a number. */
export interface LogHub {
  /**
   * Creates a log as `TurnLogStore.create` does; request, events and checkpoints travel as JSON. Throws `too_many_requests` and
   * `overloaded`: turns, and the bytes that their requests hold, are counted over all processes.
   */
  create(
    record: TurnRecord,
    request: string | null,
    isNew: boolean,
    place: TurnPlace,
    question?: TurnQuestion,
  ): Promise<
    | { readonly type: "created"; readonly turn: number }
    | { readonly type: "exists"; readonly turn: FoundTurn }
    | { readonly type: "full" }
    | { readonly type: "moved" }
  >;
  find(owner: string, id: string): Promise<FoundTurn | undefined>;
  /** Returns whether the log is full from now on or, as JSON, why the turn's end could not be kept. */
  append(turn: number, steps: string): Promise<boolean | string>;
  /** Like `TurnLog.keepStop`; does nothing if the turn has ended. */
  keepStop(turn: number, stop: TurnStop): Promise<void>;
  forget(owner: string, conversationId: string): Promise<void>;
  /** Some of the turns that no process runs, which now belong to the asking process; empty when there are no more. */
  unfinished(): Promise<readonly LeftTurn[]>;
  /** Starts to follow a turn under a number that the asking process chose. Throws `request_not_found`. */
  follow(following: number, owner: string, id: string, after: number): Promise<void>;
  /** The next batch as JSON; `undefined` at the end. Batches stay in the log until they are asked for. */
  next(following: number): Promise<string | undefined>;
  unfollow(following: number): Promise<void>;
}

const text = z.string();
const number = z.int();

const turnStop = text.nullable();
const turnRecord = z.object({
  owner: text,
  id: text,
  contentHash: text,
  conversationId: text.exactOptional(),
  transient: z.boolean().exactOptional(),
  afterSeq: z.int().min(1).exactOptional(),
});

/** The schema of `FoundTurn`. */
export const foundTurn = z.object({
  record: turnRecord,
  identity: number,
  headSeq: number,
  ended: z.boolean(),
});
const createdTurn = z.discriminatedUnion("type", [
  z.object({ type: z.literal("created"), turn: number }),
  z.object({ type: z.literal("exists"), turn: foundTurn }),
  z.object({ type: z.literal("full") }),
  z.object({ type: z.literal("moved") }),
]);
const leftTurn = z.object({
  turn: number,
  record: turnRecord,
  steps: text,
  request: text.exactOptional(),
  stops: z.array(turnStop),
});
const headPlace = z.object({ messageId: text.exactOptional(), pathChars: number, version: number });
const turnQuestion = z.object({
  id: text,
  text,
  items: storedItems.exactOptional(),
  under: headPlace.exactOptional(),
});
const turnPlace = z.object({ caller, heldBytes: number });

export const logHubMethods: Methods<LogHub> = {
  create: [
    z.tuple([turnRecord, text.nullable(), z.boolean(), turnPlace, turnQuestion.optional()]),
    createdTurn,
  ],
  find: [z.tuple([text, text]), foundTurn.optional()],
  append: [z.tuple([number, text]), z.boolean().or(text)],
  keepStop: [z.tuple([number, turnStop]), nothing],
  forget: [z.tuple([text, text]), nothing],
  unfinished: [z.tuple([]), z.array(leftTurn)],
  follow: [z.tuple([number, text, text, number]), nothing],
  next: [z.tuple([number]), text.optional()],
  unfollow: [z.tuple([number]), nothing],
};

/** Joins an owner and an id to one name, which is unique because no owner's name has a line break. */
export function nameOf(owner: string, id: string): string {
  return `${owner}\n${id}`;
}
