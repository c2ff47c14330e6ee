import { followLog } from "../../../ports/follow-log.ts";
import { decodeResumableRequest, decodeSteps, encodeStored } from "../../../ports/stored-turn.ts";
import {
  isCheckpoint,
  type LaneCheckpoint,
  type TurnEvent,
  type TurnStep,
} from "../../../ports/turn-event.ts";
import type { KeptTurn, LogBatch, TurnLog, TurnLogStore } from "../../../ports/turn-log.ts";
import { TroupeError } from "../../../protocol/errors.ts";
import type { FoundTurn, LeftTurn, LogHub } from "../rpc/log-hub.ts";
import type { Directory, DirectoryEntry, Member } from "./directory.ts";

/** Maximum turns per answer, so that thousands do not travel in one message. */
const turnsPerAnswer = 50;

interface Following {
  readonly batches: AsyncGenerator<LogBatch>;
  readonly stopped: AbortController;
}

interface LogHubOptions {
  readonly logs: TurnLogStore;
  readonly directory: Directory;
  readonly member: Member;
  /** Called when a turn of this process has ended. */
  readonly onEnd: (entry: DirectoryEntry) => void;
}

/** Serves the logs to one process that runs turns. */
export function createLogHub({ logs, directory, member, onEnd }: LogHubOptions): LogHub {
  const followings = new Map<number, Following>();
  member.gone.addEventListener("abort", () => {
    for (const following of followings.keys()) stopFollowing(following);
  });

  /** Closes the log's reader, even between two batches, when no `next` waits. */
  function stopFollowing(following: number): void {
    const found = followings.get(following);
    followings.delete(following);
    found?.stopped.abort();
    void found?.batches.return(undefined);
  }

  async function tellOf(entry: DirectoryEntry): Promise<LeftTurn[]> {
    // The last append of the process that is gone may still be on its way to the disk.
    await entry.appending;
    const { turn, record, log, resumable, checkpoints, stops } = entry;
    if (log.ended) return [];
    const steps = encodeStored([...(await readEvents(log, record.afterSeq)), ...checkpoints]);
    const request = resumable === undefined ? {} : { request: encodeStored(resumable) };
    return [{ turn, record, steps, stops, ...request }];
  }

  return {
    async create(record, resumable, isNew, { caller, heldBytes }, question) {
      const request = resumable === null ? undefined : decodeResumableRequest(resumable);
      const release = directory.hold(caller, heldBytes);
      try {
        const created = await logs.create(record, { request, isNew, question });
        if (created.type === "created") {
          const { log } = created;
          const { turn } = directory.add({ record, log, resumable: request, runner: member, release });
          return { type: "created", turn };
        }
        release();
        return created.type === "exists" ? { type: "exists", turn: foundTurn(created.turn) } : created;
      } catch (error) {
        release();
        throw error;
      }
    },
    async find(owner, id) {
      const turn = await logs.find(owner, id);
      return turn === undefined ? undefined : foundTurn(turn);
    },
    async append(turn, text) {
      const entry = directory.runBy(member, turn);
      const steps = decodeSteps(text);
      const appending = entry.log.append(steps);
      entry.checkpoints = newestCheckpoints([...entry.checkpoints, ...steps]);
      entry.appending = Promise.allSettled([appending]);
      await appending;
      const { ended, unkept, isFull } = entry.log;
      if (!ended && unkept === undefined) return isFull;
      directory.remove(entry);
      onEnd(entry);
      return unkept === undefined ? false : encodeStored(unkept);
    },
    async keepStop(turn, stop) {
      const entry = directory.get(turn);
      if (entry?.runner === member) await directory.keepStop(entry, stop);
    },
    forget: logs.forget,
    async unfinished() {
      for (;;) {
        const taken = directory.takeLeft(member, turnsPerAnswer);
        const turns = await Promise.all(taken.map(tellOf));
        if (taken.length === 0 || turns.flat().length > 0) return turns.flat();
      }
    },
    async follow(following, owner, id, after) {
      const turn = await logs.find(owner, id);
      if (turn === undefined) throw new TroupeError("request_not_found");
      const stopped = new AbortController();
      const batches = followLog(turn.log, { after, signal: stopped.signal });
      followings.set(following, { batches, stopped });
    },
    async next(following) {
      const step = await followings.get(following)?.batches.next();
      if (step !== undefined && step.done !== true) {
        const { value: batch } = step;
        // The reader there gets events of its own, which are not shared.
        return encodeStored(batch.type === "events" ? { type: "events", events: batch.events } : batch);
      }
      followings.delete(following);
      return undefined;
    },
    async unfollow(following) {
      stopFollowing(following);
    },
  };
}

const identities = new WeakMap<TurnLog, number>();
let lastIdentity = 0;

export function foundTurn({ record, log }: KeptTurn): FoundTurn {
  let identity = identities.get(log);
  if (identity === undefined) {
    lastIdentity += 1;
    identity = lastIdentity;
    identities.set(log, identity);
  }
  return { record, identity, headSeq: log.headSeq, ended: log.ended };
}

/** The last checkpoint of every lane since its last reset. */
export function newestCheckpoints(steps: readonly TurnStep[]): LaneCheckpoint[] {
  const newest = new Map<string | undefined, LaneCheckpoint>();
  for (const step of steps) {
    if (isCheckpoint(step)) newest.set(step.lane, step);
    else if (step.type === "reset") for (const { lane } of step.lanes) newest.delete(lane);
  }
  return [...newest.values()];
}

/** All events of a running turn so far. */
async function readEvents(log: TurnLog, afterSeq = 0): Promise<readonly TurnEvent[]> {
  const events: TurnEvent[] = [];
  const { headSeq } = log;
  if (headSeq === afterSeq) return events;
  for await (const batch of followLog(log, { after: afterSeq })) {
    if (batch.type === "events") events.push(...batch.events.map(({ event }) => event));
    if (afterSeq + events.length >= headSeq) break;
  }
  return events;
}
