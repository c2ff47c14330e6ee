import { setTimeout as sleep } from "node:timers/promises";
import type { Crowd } from "../../crash/crowd.ts";
import type { RequestRecord } from "../../crash/request-record.ts";
import type { Wait } from "./judge-nodes.ts";
import { runOn } from "./open-store.ts";
import type { Timeline } from "./timeline.ts";

/** Times from the death of a node to the next event, or the end, of each of its turns, as clients see it. */
export interface DeathGaps {
  /** Called just before the node of this name is killed. */
  note(node: string): Promise<void>;
  /** Settles with the times, once all are known or the crowd has finished. */
  read(): Promise<readonly Wait[]>;
}

const lookMs = 10;
const maxMs = 60_000;

export function createDeathGaps(crowd: Crowd, databaseUrl: string): DeathGaps {
  const gaps: Wait[] = [];
  const watching: Promise<void>[] = [];

  return {
    async note(node) {
      const rows = await runOn(
        databaseUrl,
        "SELECT id FROM turns JOIN nodes ON incarnation = node WHERE name = $1",
        [node],
      );
      const ids = new Set(rows.map(({ id }) => id));
      const waiting = new Map(
        crowd.unread
          .filter((record) => ids.has(record.ask.id) && record.frames.length > 0)
          .map((record) => [record, record.frames.length]),
      );
      const fromMs = Date.now();
      const keep = ({ ask }: RequestRecord) => gaps.push({ what: ask.id, fromMs, toMs: Date.now() });
      const watch = async () => {
        for (; waiting.size > 0 && Date.now() < fromMs + maxMs; await sleep(lookMs))
          for (const [record, before] of waiting) {
            if (record.terminalSeq === undefined && record.frames.length <= before) continue;
            waiting.delete(record);
            keep(record);
          }
        for (const record of waiting.keys()) keep(record);
      };
      watching.push(watch());
    },
    async read() {
      await Promise.all(watching);
      return gaps;
    },
  };
}

/** Lengths in milliseconds, in ascending order. */
export interface DeathGapLengths {
  /** Where no fault between a node and the database was near, nor came before the next event. */
  readonly calm: readonly number[];
  /** All others. */
  readonly nearOutages: readonly number[];
}

export function lengthsOfGaps(gaps: readonly Wait[], timeline: Timeline): DeathGapLengths {
  const lengths = (isNear: boolean) =>
    gaps
      .filter(({ fromMs, toMs }) => timeline.isNearOutage(fromMs, toMs) === isNear)
      .map(({ fromMs, toMs }) => toMs - fromMs)
      .sort((one, other) => one - other);
  return { calm: lengths(false), nearOutages: lengths(true) };
}
