import { setTimeout as sleep } from "node:timers/promises";
import type { Crowd } from "../../crash/crowd.ts";
import type { ServerProcess } from "../../crash/server-process.ts";
import { runOn } from "./open-store.ts";

/** Times from the death of a node to the next event, or the end, of each of its turns, as clients see it. */
export interface DeathGaps {
  /** Called just before the node is killed. */
  note(node: ServerProcess): Promise<void>;
  /** Settles with the times in ascending order, milliseconds, once all are known or the crowd has finished. */
  read(): Promise<readonly number[]>;
}

const lookMs = 10;
const maxMs = 60_000;

export function createDeathGaps(crowd: Crowd, databaseUrl: string): DeathGaps {
  const gaps: number[] = [];
  const watching: Promise<void>[] = [];

  return {
    async note(node) {
      const rows = await runOn(
        databaseUrl,
        "SELECT id FROM turns JOIN nodes ON incarnation = node WHERE name LIKE '%/' || $1::text",
        [node.pid],
      );
      const ids = new Set(rows.map(({ id }) => id));
      const waiting = new Map(
        crowd.unread
          .filter((record) => ids.has(record.ask.id) && record.frames.length > 0)
          .map((record) => [record, record.frames.length]),
      );
      const startedAtMs = performance.now();
      const watch = async () => {
        for (let passedMs = 0; waiting.size > 0 && passedMs < maxMs; await sleep(lookMs)) {
          passedMs = performance.now() - startedAtMs;
          for (const [record, before] of waiting) {
            if (record.terminalSeq === undefined && record.frames.length <= before) continue;
            waiting.delete(record);
            gaps.push(passedMs);
          }
        }
        gaps.push(...[...waiting].map(() => maxMs));
      };
      watching.push(watch());
    },
    async read() {
      await Promise.all(watching);
      return gaps.toSorted((one, other) => one - other);
    },
  };
}
