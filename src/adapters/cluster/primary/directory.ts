import type { Caller } from "../../../ports/caller.ts";
import { CallerCounts, HeldByOwners } from "../../../ports/fair-shares.ts";
import type { LaneCheckpoint } from "../../../ports/turn-event.ts";
import type { TurnLog, TurnRecord, TurnStop } from "../../../ports/turn-log.ts";
import type { ResumableRequest } from "../../../ports/turn-request.ts";
import { TroupeError } from "../../../protocol/errors.ts";
import { nameOf } from "../rpc/log-hub.ts";
import type { WorkerPort } from "../rpc/peer-hub.ts";

/** A process that runs turns, as the process that knows all turns sees it. */
export interface Member {
  readonly worker: WorkerPort;
  /** Aborts when the process is gone. */
  readonly gone: AbortSignal;
  /** Whether it has asked for the turns that others left; it asks as soon as it can end them. */
  hasAsked: boolean;
}

/** A turn that has not ended. */
export interface DirectoryEntry {
  /** The number by which the processes name it. */
  readonly turn: number;
  readonly record: TurnRecord;
  readonly log: TurnLog;
  /** The request with which another process can continue the turn; `checkpoints` tell where its lanes can be taken up. */
  readonly resumable: ResumableRequest | undefined;
  checkpoints: readonly LaneCheckpoint[];
  stops: readonly TurnStop[];
  /** The process that runs it; `undefined` if that process is gone. */
  runner: Member | undefined;
  /** The last append that was started; settles when it is done, and never rejects. */
  appending: Promise<unknown>;
  /** Settles when the turn can be stopped and watched, or when its process is gone. */
  readonly announced: PromiseWithResolvers<void>;
  isAnnounced: boolean;
  /** The request as JSON, if the turn belongs to a conversation and was announced. */
  request: string | undefined;
  /** The number of followers in each process other than its own. */
  readonly watchers: Map<Member, number>;
  /** Removes the turn from the counts. */
  readonly release: () => void;
}

/** Limits of turns that run at the same time, for one key, for one owner, and in all, over all processes. */
export interface DirectoryLimits {
  /** For a key that has no limit of its own. */
  readonly maxPerKey: number;
  readonly maxPerOwner: number;
  readonly maxInAll: number;
  /** Maximum bytes that running turns hold, estimated by the processes that run them. */
  readonly maxBytesPerOwner: number;
  readonly maxBytes: number;
}

interface DirectoryOptions extends DirectoryLimits {
  /** Called when there are turns that no process runs. */
  readonly onLeft: () => void;
}

/** By then one of the counted turns may have ended. */
const retryAfterMs = 1_000;

/** Keeps track of the running turns and of the process that runs each. */
export function createDirectory(options: DirectoryOptions) {
  const { maxPerKey, maxPerOwner, maxInAll, maxBytesPerOwner, maxBytes, onLeft } = options;
  const byTurn = new Map<number, DirectoryEntry>();
  const byName = new Map<string, DirectoryEntry>();
  const counts = new CallerCounts("requestsInFlight", maxPerKey);
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
    // This includes turns that the process was told of but had not asked for yet.
    if ([...byTurn.values()].some(({ runner }) => runner === undefined)) onLeft();
  }

  return {
    /** Counts a turn and the bytes that it holds; the returned function removes both. Throws `too_many_requests`, `overloaded`. */
    hold(caller: Caller, bytes: number): () => void {
      const { owner } = caller;
      const count = countByOwner.get(owner) ?? 0;
      const full = counts.fullFor(caller);
      if (full !== undefined) {
        const detail = `${full.name} may have ${full.max} in flight.`;
        throw new TroupeError("too_many_requests", { detail, retryAfterMs });
      }
      if (count >= maxPerOwner) throw new TroupeError("too_many_requests", { retryAfterMs });
      if (counts.inAll >= maxInAll) throw new TroupeError("overloaded", { retryAfterMs });
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
    /** Adds a turn that starts in a process, or that no process runs. */
    add({
      record,
      log,
      resumable,
      checkpoints = [],
      stops = [],
      runner,
      release,
    }: Pick<DirectoryEntry, "record" | "log" | "resumable" | "runner" | "release"> &
      Partial<Pick<DirectoryEntry, "checkpoints" | "stops">>) {
      lastTurn += 1;
      const entry: DirectoryEntry = {
        turn: lastTurn,
        record,
        log,
        resumable,
        checkpoints,
        stops,
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
      // The process may have gone while the log was made.
      if (runner?.gone.aborted === true) leave(runner);
      return entry;
    },
    /** The turn that this process runs under this number; throws if it runs none. */
    runBy(member: Member, turn: number): DirectoryEntry {
      const entry = byTurn.get(turn);
      if (entry?.runner !== member)
        throw new Error("This turn does not run in the process that speaks of it.");
      return entry;
    },
    /** A turn that has not ended. */
    get: (turn: number) => byTurn.get(turn),
    /** Keeps a client's stop for the process that takes the turn over. */
    async keepStop(entry: DirectoryEntry, stop: TurnStop): Promise<void> {
      entry.stops = [...entry.stops, stop];
      await entry.log.keepStop?.(stop);
    },
    find: (owner: string, id: string) => byName.get(nameOf(owner, id)),
    /** Oldest first. */
    runningIn: (owner: string, conversationId: string) =>
      [...byTurn.values()].filter(
        ({ record }) => record.owner === owner && record.conversationId === conversationId,
      ),
    /** Gives turns that no process runs to this process, at most `most`. */
    takeLeft(member: Member, most: number): DirectoryEntry[] {
      const taken = [...byTurn.values()].filter(({ runner }) => runner === undefined).slice(0, most);
      for (const entry of taken) entry.runner = member;
      member.hasAsked = true;
      return taken;
    },
    /** Removes a turn that has ended. */
    remove(entry: DirectoryEntry): void {
      if (!byTurn.delete(entry.turn)) return;
      byName.delete(nameOf(entry.record.owner, entry.record.id));
      entry.announced.resolve();
      entry.release();
    },
    /** Marks the turns of a process that is gone as left, and removes its followers. */
    leave,
  };
}

export type Directory = ReturnType<typeof createDirectory>;
