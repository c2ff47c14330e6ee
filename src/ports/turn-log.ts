import type { TroupeError } from "../protocol/errors.ts";
import type { Caller } from "./caller.ts";
import type { TurnEvent, TurnStep } from "./turn-event.ts";
import type { ResumableRequest } from "./turn-request.ts";

/** An event with its place in the turn's log. */
export interface LoggedEvent {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly event: TurnEvent;
}

/** A lane's text as it stands for events that the log no longer holds. */
export interface LaneText {
  readonly lane?: string;
  readonly text: string;
}

/**
 * One step of reading: events, the news that those asked for were trimmed and what stands for them, or the news that the turn's end could
 * not be kept: it has no number yet, and nothing more comes to this reader.
 */
export type LogBatch =
  | {
      readonly type: "events";
      readonly events: readonly LoggedEvent[];
      /** Others read this log as well: what is made of an event may serve them all. Default false. */
      readonly isShared?: boolean;
    }
  | { readonly type: "trimmed"; readonly throughSeq: number; readonly lanes: readonly LaneText[] }
  | { readonly type: "unkept"; readonly error: TroupeError };

/**
 * One reader's place in a log.
 *
 * Contract:
 * - `take` gives what comes next, in order and once, at most 256 events at a time: who asks late finds a larger batch, so nothing
 *   piles up for it. Where what comes next was trimmed, the batch says so, and the rest follows it. Throws what keeps a log from
 *   being read that is kept elsewhere;
 * - where it gives nothing, either `isOver` (the terminal event or `unkept` was taken, or the log was left), or `wake` is called once as soon as
 *   another `take` makes sense; never before `take` has returned;
 * - nobody is woken after `close`, which whoever opened a reader calls in any case.
 */
export interface LogReader {
  take(): LogBatch | undefined;
  readonly isOver: boolean;
  close(): void;
}

/**
 * The events of one turn.
 *
 * Contract:
 * - `append` numbers the events (a checkpoint is none) and settles when they are kept as durably as this log promises; readers see them only then.
 *   Where they cannot be kept it rejects (`storage_unavailable` where that is why), and nobody sees them;
 * - a `failure` that cannot be kept does not reject: `unkept` says why from then on, readers are told so without a number, and the
 *   steps get their numbers when they can be kept. A number is only ever seen for what is kept, so it never means two things;
 * - `open` reads from behind a position. `wake` is called in the middle of an append: it must be quick and never throw;
 * - the terminal event is the last: an append after it is a programming error and rejects;
 * - after `leave` nothing more comes in this process: who reads gets what is there, and no terminal event.
 */
export interface TurnLog {
  readonly headSeq: number;
  readonly ended: boolean;
  /** There is no room for more of this answer: it is to be stopped. What ends it is kept all the same. */
  readonly isFull: boolean;
  /** Why the end of the turn, which is over, is not kept yet. */
  readonly unkept: TroupeError | undefined;
  append(steps: readonly TurnStep[]): Promise<void>;
  open(after: number, wake: () => void): LogReader;
  leave(): void;
}

/** Whose turn a log is of. `(owner, id)` is unique among the logs that are kept. */
export interface TurnRecord {
  readonly owner: string;
  readonly id: string;
  /** Digest of the decoded request, to tell a repeat from a conflict. */
  readonly contentHash: string;
  /** Where its answers go. */
  readonly conversationId?: string;
  /** The client asked that nothing of it is stored: the log leaves no trace beyond this process. */
  readonly transient?: boolean;
  /**
   * The turn repeats one of this name, whose log ended with this number: its own numbers go on after it, and what was said before is
   * void. Default: it begins with 1.
   */
  readonly afterSeq?: number;
}

export interface KeptTurn {
  readonly record: TurnRecord;
  readonly log: TurnLog;
}

/** What a turn counts in while it runs. */
export interface TurnPlace {
  readonly caller: Caller;
  /** What its request holds in memory. */
  readonly heldBytes: number;
}

export interface UnfinishedTurn extends KeptTurn {
  /** What was appended, each checkpoint behind the events that it came with. */
  readonly steps: readonly TurnStep[];
  /** Where it was kept. */
  readonly request?: ResumableRequest;
}

/** Where logs are made and kept. A log is kept while its turn runs and for a time after its terminal event. */
export interface TurnLogStore {
  /** What it keeps is there for the next process, which is given the turns that this one leaves running (`unfinished`). */
  readonly isLasting: boolean;
  /**
   * A new, empty log; `exists` with the kept turn where `(owner, id)` is taken, unless that has ended at the record's `afterSeq`, so that
   * the new log takes its place; `full` when there is no room in memory. A request
   * that is given is kept as durably as the log, until its end. `isNew` (default false) says that there is no kept turn of this name
   * but perhaps one that began a moment ago: the caller has just looked, or made the id. Throws `storage_unavailable` while nothing
   * can be kept. `place` is what the turn takes while it runs, for a store that limits this over several processes: throws
   * `too_many_requests`, `overloaded`.
   */
  create(
    record: TurnRecord,
    request?: ResumableRequest,
    isNew?: boolean,
    place?: TurnPlace,
  ): Promise<
    | { readonly type: "created"; readonly log: TurnLog }
    | { readonly type: "exists"; readonly turn: KeptTurn }
    | { readonly type: "full" }
  >;
  find(owner: string, id: string): Promise<KeptTurn | undefined>;
  /**
   * Drops the kept logs of a conversation's ended turns of this owner, as if their time were over. A turn that is running goes on, and
   * its log is kept for its time.
   */
  forget(owner: string, conversationId: string): Promise<void>;
  /** The turns that were running when the process before this one ended, for `recoverTurns`; asked once, at the start. */
  unfinished(): Promise<readonly UnfinishedTurn[]>;
}
