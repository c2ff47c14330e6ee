import type { TroupeError } from "../protocol/errors.ts";
import type { Caller } from "./caller.ts";
import type { TurnQuestion } from "./conversation-store.ts";
import type { TurnEvent, TurnStep } from "./turn-event.ts";
import type { ResumableRequest } from "./turn-request.ts";

/** An event with its number in the turn's log. */
export interface LoggedEvent {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly event: TurnEvent;
}

/** A lane's text, in place of events that the log no longer holds. */
export interface LaneText {
  readonly lane?: string;
  readonly text: string;
}

/**
 * The result of one read:
 * - `events`: the next events;
 * - `trimmed`: the next events were dropped, and these texts replace them;
 * - `unkept`: the turn's end could not be stored. It has no number yet, and this reader gets nothing more.
 */
export type LogBatch =
  | {
      readonly type: "events";
      readonly events: readonly LoggedEvent[];
      /** Others read this log as well, so work on an event may be shared. Default false. */
      readonly isShared?: boolean;
    }
  | { readonly type: "trimmed"; readonly throughSeq: number; readonly lanes: readonly LaneText[] }
  | { readonly type: "unkept"; readonly error: TroupeError };

/**
 * One reader's place in a log.
 *
 * Contract:
 * - `take` returns the next events, in order and once, at most 256 at a time. A slow reader gets larger batches, so nothing piles up for
 *   it. If the next events were trimmed, the batch says so, and the rest follows it. Throws if a log that is kept elsewhere cannot be
 *   read;
 * - if it returns nothing, either `isOver` is true, or `wake` is called once when another `take` makes sense, never before `take` has
 *   returned. `isOver`: the terminal event or `unkept` was taken, or the log was left;
 * - after `close`, `wake` is not called any more. Every reader must be closed.
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
 * - `append` numbers the events (not the checkpoints) and settles once they are as durable as this log promises. Readers see them only
 *   then. If they cannot be stored it rejects (with `storage_unavailable` if storage is the cause), and readers never see them;
 * - a `failure` that cannot be stored does not reject. `unkept` holds the cause from then on, readers get it without a number, and the
 *   steps get their numbers once they can be stored. Only stored events have numbers, so a number never means two things;
 * - `open` reads the events after a position. `wake` is called in the middle of an append: it must be quick and never throw;
 * - the terminal event is the last: an append after it is a programming error and rejects;
 * - after `leave` nothing more is added in this process: readers get the events so far, and no terminal event.
 */
export interface TurnLog {
  readonly headSeq: number;
  readonly ended: boolean;
  /** The log has no room for more of this answer, so it must be stopped. Its last events are stored all the same. */
  readonly isFull: boolean;
  /** Why the end of the turn, which is over, is not stored yet. */
  readonly unkept: TroupeError | undefined;
  append(steps: readonly TurnStep[]): Promise<void>;
  open(after: number, wake: () => void): LogReader;
  leave(): void;
  /**
   * Settles once this process is known to run the turn still, and the log has everything that was committed until then. If not, the turn
   * was left before. It comes before every act outside that another process must not suffer from. Absent: no other process can take the
   * turn away.
   */
  confirm?(): Promise<unknown>;
  /**
   * Remembers a client's stop: a process that takes the turn over calls no provider for the stopped lanes. Settles once that is stored, and
   * also if it cannot be. Absent: no other process takes the turn over.
   */
  keepStop?(stop: TurnStop): Promise<void>;
}

/** A client's stop of the lanes of a persona or, with `null`, of the whole turn. Stored as JSON. */
export type TurnStop = string | null;

/** The turn that a log belongs to. `(owner, id)` is unique among the stored logs. */
export interface TurnRecord {
  readonly owner: string;
  readonly id: string;
  /** Digest of the decoded request, to tell a repeat from a conflict. */
  readonly contentHash: string;
  /** The conversation that the answers go into. */
  readonly conversationId?: string;
  /** The client asked that nothing of it is stored: the log leaves no trace beyond this process. */
  readonly transient?: boolean;
  /**
   * The turn repeats one of the same name, whose log ended with this number. Its own numbers continue after it, and the earlier text is
   * void. Default: numbers start at 1.
   */
  readonly afterSeq?: number;
}

export interface KeptTurn {
  readonly record: TurnRecord;
  readonly log: TurnLog;
}

/** The limits that a running turn counts in. */
export interface TurnPlace {
  readonly caller: Caller;
  /** The memory that its request holds. */
  readonly heldBytes: number;
}

/** Everything that is stored or counted together with a new log. */
interface TurnStart {
  /** Stored as durably as the log, until the turn's end. */
  readonly request?: ResumableRequest | undefined;
  /** The request of a turn of a conversation. A store of several servers keeps it for followers of the conversation at another one. */
  readonly asked?: ResumableRequest | undefined;
  /**
   * The caller has just looked, or made the id, so no stored turn has this name except perhaps one that started a moment ago. Default
   * false.
   */
  readonly isNew?: boolean;
  /** Counts the turn, for a store whose limits span several processes. */
  readonly place?: TurnPlace;
  /** Stored in the turn's conversation, in one step with the log. No event of the turn is stored before it. */
  readonly question?: TurnQuestion | undefined;
}

export interface UnfinishedTurn extends KeptTurn {
  /** The appended steps, each checkpoint after the events that it came with. */
  readonly steps: readonly TurnStep[];
  /** Present if it was stored. */
  readonly request?: ResumableRequest | undefined;
  /** The stops of clients that the process which ran it may not have seen through any more. Default: none. */
  readonly stops?: readonly TurnStop[];
}

/** Creates and stores logs. A log is stored while its turn runs and for a time after its terminal event. */
export interface TurnLogStore {
  /** The next process finds the logs, and gets the turns that this one leaves running (`unfinished`). */
  readonly isLasting: boolean;
  /**
   * Creates an empty log. Returns `exists` with the stored turn if `(owner, id)` is taken, unless that turn has ended at the record's
   * `afterSeq`: then the new log replaces it. Returns `full` if there is no room in memory. Returns `moved` if the conversation of the
   * question is gone, or if its head has moved since it was found: it must be looked up again. Stores nothing unless it returns `created`.
   *
   * Throws `storage_unavailable` while nothing can be stored, and `too_many_requests` and `overloaded` because of `place`.
   */
  create(
    record: TurnRecord,
    start?: TurnStart,
  ): Promise<
    | { readonly type: "created"; readonly log: TurnLog }
    | { readonly type: "exists"; readonly turn: KeptTurn }
    | { readonly type: "full" }
    | { readonly type: "moved" }
  >;
  find(owner: string, id: string): Promise<KeptTurn | undefined>;
  /**
   * Drops the stored logs of this owner's ended turns in a conversation, as if their time were over. A running turn goes on, and its log
   * is stored for its usual time.
   */
  forget(owner: string, conversationId: string): Promise<void>;
  /** Takes the turns of processes that are gone, for `recoverTurns`. Called at the start, and whenever a process may have gone since. */
  unfinished(): Promise<readonly UnfinishedTurn[]>;
}
