import type { Caller } from "../../ports/caller.ts";
import { CallerCounts } from "../../ports/caller-counts.ts";
import { HeldByOwners } from "../../ports/held-bytes.ts";
import type { LaneCheckpoint } from "../../ports/turn-event.ts";
import type { TurnLog, TurnRecord } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { nameOf } from "./name-of.ts";
import type { WorkerPort } from "./peer-hub.ts";

/** A process that runs turns, as the one that knows them all sees it. */
export interface Member {
  readonly worker: WorkerPort;
  /** Aborts when the process is gone. */
  readonly gone: AbortSignal;
  /** It has asked for the turns that others left, which it does when it can end them. */
  hasAsked: boolean;
}

/** A turn without an end. */
export interface DirectoryEntry {
  /** Its name between the processes. */
  readonly turn: number;
  readonly record: TurnRecord;
  readonly log: TurnLog;
  /** What is kept for a process that goes on with it, and where its lanes can be taken up. */
  readonly resumable: ResumableRequest | undefined;
  checkpoints: readonly LaneCheckpoint[];
  /** The process that runs it; none where that is gone. */
  runner: Member | undefined;
  /** The last append that was begun; settles when it has, and never rejects. */
  appending: Promise<unknown>;
  /** Settles when it can be stopped and watched, or its process is gone. */
  readonly announced: PromiseWithResolvers<void>;
  isAnnounced: boolean;
  /** As JSON, where it belongs to a conversation and was announced. */
  request: string | undefined;
  /** How many follow it from other processes than its own. */
  readonly watchers: Map<Member, number>;
  /** Counts it out. */
  readonly release: () => void;
}

/** Limits of turns that run at the same time for one key, for one owner, and in all, over all processes. */
export interface DirectoryLimits {
  /** Of a key that has no limit of its own. */
  readonly mostPerKey: number;
  readonly mostPerOwner: number;
  readonly mostInAll: number;
  /** Bytes that they hold, as the processes that run them estimate it. */
  readonly maxBytesPerOwner: number;
  readonly maxBytes: number;
}

export interface DirectoryOptions extends DirectoryLimits {
  /** There are turns that nobody runs any more. */
  readonly onLeft: () => void;
}

/** When a turn that is counted may have ended. */
const retryAfterMs = 1_000;

/** Which turns run, and where. */
export function createDirectory(options: DirectoryOptions) {
  const { mostPerKey, mostPerOwner, mostInAll, maxBytesPerOwner, maxBytes, onLeft } = options;
  const byTurn = new Map<number, DirectoryEntry>();
  const byName = new Map<string, DirectoryEntry>();
  const counts = new CallerCounts("requestsInFlight", mostPerKey);
  const countByOwner = new Map<string, number>();
  const heldByOwners = new HeldByOwners({ maxBytesPerOwner, maxBytes });
  let lastTurn = 0;

  function leave(member: Member): void {
    for (const entry of byTurn.values()) {
      entry.watchers.delete(member);
      if (entry.runner !== member) continue;
      entry.runner = undefined;
      entry.announced.resolve();
    }
    // Also what it was told of and had not yet asked for.
    if ([...byTurn.values()].some(({ runner }) => runner === undefined)) onLeft();
  }

  return {
    /** Counts a turn and what it holds in; the returned function counts them out. Throws `too_many_requests`, `overloaded`. */
    hold(caller: Caller, bytes: number): () => void {
      const { owner } = caller;
      const count = countByOwner.get(owner) ?? 0;
      const full = counts.fullFor(caller);
      if (full !== undefined) {
        const detail = `${full.name} may have ${full.max} in flight.`;
        throw new TroupeError("too_many_requests", { detail, retryAfterMs });
      }
      if (count >= mostPerOwner) throw new TroupeError("too_many_requests", { retryAfterMs });
      if (counts.inAll >= mostInAll) throw new TroupeError("overloaded", { retryAfterMs });
      const hold = heldByOwners.hold(owner, bytes);
      countByOwner.set(owner, count + 1);
      counts.add(caller, 1);
      return () => {
        hold.release();
        counts.add(caller, -1);
        const left = (countByOwner.get(owner) ?? 1) - 1;
        if (left === 0) countByOwner.delete(owner);
        else countByOwner.set(owner, left);
      };
    },
    /** A turn that begins in a process, or that nobody runs. */
    add({
      record,
      log,
      resumable,
      checkpoints = [],
      runner,
      release,
    }: Pick<DirectoryEntry, "record" | "log" | "resumable" | "runner" | "release"> &
      Partial<Pick<DirectoryEntry, "checkpoints">>) {
      lastTurn += 1;
      const entry: DirectoryEntry = {
        turn: lastTurn,
        record,
        log,
        resumable,
        checkpoints,
        runner,
        release,
        appending: Promise.resolve(),
        announced: Promise.withResolvers<void>(),
        isAnnounced: false,
        request: undefined,
        watchers: new Map(),
      };
      byTurn.set(entry.turn, entry);
      byName.set(nameOf(record.owner, record.id), entry);
      // It may have gone while the log was made.
      if (runner?.gone.aborted === true) leave(runner);
      return entry;
    },
    /** The turn that this process runs under this number. */
    runBy(member: Member, turn: number): DirectoryEntry {
      const entry = byTurn.get(turn);
      if (entry?.runner !== member)
        throw new Error("This turn does not run in the process that speaks of it.");
      return entry;
    },
    find: (owner: string, id: string) => byName.get(nameOf(owner, id)),
    /** Oldest first. */
    runningIn: (owner: string, conversationId: string) =>
      [...byTurn.values()].filter(
        ({ record }) => record.owner === owner && record.conversationId === conversationId,
      ),
    /** Gives turns that nobody runs to this process. */
    takeLeft(member: Member, most: number): DirectoryEntry[] {
      const taken = [...byTurn.values()].filter(({ runner }) => runner === undefined).slice(0, most);
      for (const entry of taken) entry.runner = member;
      member.hasAsked = true;
      return taken;
    },
    /** It has ended. */
    remove(entry: DirectoryEntry): void {
      if (!byTurn.delete(entry.turn)) return;
      byName.delete(nameOf(entry.record.owner, entry.record.id));
      entry.announced.resolve();
      entry.release();
    },
    /** The process is gone. */
    leave,
  };
}

export type Directory = ReturnType<typeof createDirectory>;
