import assert from "node:assert/strict";
import { it } from "node:test";
import { runSlowDisk, type SlowDiskFigures } from "../disk/run-slow-disk.ts";
import { writeRecord } from "./record/report.ts";

/** Number of requests at the same time, each to three personas; `SLOW_DISK_TURNS` changes it. */
const turns = Number(process.env.SLOW_DISK_TURNS ?? 80);
const commitMs = Number(process.env.SLOW_DISK_COMMIT_MS ?? 100);

const disks = [
  { synchronous: "NORMAL", commitMs: 0 },
  { synchronous: "NORMAL", commitMs },
  { synchronous: "FULL", commitMs: 0 },
  { synchronous: "FULL", commitMs },
] as const;

it(`${turns} requests of three lanes while every commit takes ${commitMs} ms longer`, async () => {
  const runs: SlowDiskFigures[] = [];
  for (const disk of disks) runs.push(await runSlowDisk({ ...disk, turns }));
  const results = table(runs);
  console.log(results);
  writeRecord("slow-disk", { SLOW_DISK_TURNS: turns, SLOW_DISK_COMMIT_MS: commitMs }, results);
  for (const { lanes, messages, loopDelays: _, ...wrong } of runs) {
    assert.ok(messages > lanes);
    assert.deepEqual([...new Set(Object.values(wrong))], [0]);
  }
});

/** The runs in columns, next to one another. */
function table(runs: readonly SlowDiskFigures[]): string {
  const ms = (value: number) => value.toFixed(1);
  const columns = runs.map(({ loopDelays, ...counts }) => ({
    ...counts,
    "event loop's delay, median ms": ms(loopDelays.medianMs),
    "event loop's delay, 99th percentile ms": ms(loopDelays.highMs),
    "event loop's delay, longest ms": ms(loopDelays.maxMs),
  }));
  const names = Object.keys(columns[0] ?? {}) as (keyof (typeof columns)[number])[];
  const heads = disks.map((disk) => `${disk.synchronous}, ${disk.commitMs} ms`);
  return [
    "",
    `| | ${heads.join(" | ")} |`,
    `|---|${"---:|".repeat(heads.length)}`,
    ...names.map((name) => `| ${name} | ${columns.map((column) => column[name]).join(" | ")} |`),
  ].join("\n");
}
