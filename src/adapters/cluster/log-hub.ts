import { z } from "zod";
import type { TurnPlace, TurnRecord } from "../../ports/turn-log.ts";
import { caller } from "./handshake-methods.ts";
import type { Methods } from "./remote-port.ts";

/** A kept turn as it was when it was found; its events are asked for with `follow`. */
export interface FoundTurn {
  readonly record: TurnRecord;
  /** Tells its log from all others that the asked process has had, also from one of the same name. */
  readonly identity: number;
  readonly headSeq: number;
  readonly ended: boolean;
}

/** A turn that a process before left running, and that the one which is told of it is to recover. */
export interface LeftTurn {
  readonly turn: number;
  readonly record: TurnRecord;
  /** What it appended, as JSON. */
  readonly steps: string;
  /** What was kept for going on with it, as JSON. */
  readonly request?: string;
}

/** What the process that keeps the logs does for one that runs turns. A turn is named by a number while it runs. */
export interface LogHub {
  /**
   * The request travels as JSON, and so do events and checkpoints. Throws `too_many_requests` and `overloaded`, which are counted
   * over all processes, as are the bytes that requests hold.
   */
  create(
    record: TurnRecord,
    request: string | null,
    isNew: boolean,
    place: TurnPlace,
  ): Promise<
    | { readonly type: "created"; readonly turn: number }
    | { readonly type: "exists"; readonly turn: FoundTurn }
    | { readonly type: "full" }
  >;
  find(owner: string, id: string): Promise<FoundTurn | undefined>;
  /** Returns whether the log is full from now on, or why the turn's end could not be kept, as JSON. */
  append(turn: number, steps: string): Promise<boolean | string>;
  forget(owner: string, conversationId: string): Promise<void>;
  /** Some of the turns that nobody runs any more, which are the asking process's from now on; none when there are no more. */
  unfinished(): Promise<readonly LeftTurn[]>;
  /** Begins to follow a turn under a number that the asking process chose. Throws `request_not_found`. */
  follow(following: number, owner: string, id: string, after: number): Promise<void>;
  /** The next batch as JSON; `undefined` at the end. What is not asked for stays in the log. */
  next(following: number): Promise<string | undefined>;
  unfollow(following: number): Promise<void>;
}

const text = z.string();
const number = z.int();

export const turnRecord = z.object({
  owner: text,
  id: text,
  contentHash: text,
  conversationId: text.exactOptional(),
  transient: z.boolean().exactOptional(),
  afterSeq: z.int().min(1).exactOptional(),
});

export const logHubMethods: Methods<LogHub> = {
  create: z.tuple([turnRecord, text.nullable(), z.boolean(), z.object({ caller, heldBytes: number })]),
  find: z.tuple([text, text]),
  append: z.tuple([number, text]),
  forget: z.tuple([text, text]),
  unfinished: z.tuple([]),
  follow: z.tuple([number, text, text, number]),
  next: z.tuple([number]),
  unfollow: z.tuple([number]),
};
