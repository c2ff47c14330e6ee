import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "../../scripts/repository.ts";
import { type ThreadTime, threadTimesOf } from "../machine/process-tree.ts";
import { addStreams } from "../measures/streams.ts";
import { watchWindow } from "../measures/window.ts";
import type { Rig } from "../rig.ts";
import type { Side } from "../sides/side.ts";
import { monotonicMs } from "../time-stamp.ts";
import { type FunctionTime, readProfile } from "./read-profile.ts";

const streams = 300;
const flow = { tokensPerSecond: 25, eventsPerPacket: 1 };
const settleMs = 3_000;
const windowMs = 8_000;
const samplingUs = 500;
/** Threads below this time per token are left out of the report. */
const minShownUs = 0.1;
const shownFiles = 25;
const shownFunctions = 50;

/** Runs a side under Node's profiler and says where its time goes, per token and thread by thread. */
export async function profileSide(rig: Rig, side: Side): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-profile-"));
  try {
    const nodeFlags = ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${samplingUs}`];
    const { fromMs, untilMs, figures, systemThreads } = await run(rig, side, nodeFlags);
    const tokens = (figures.tokensPerSecond * (untilMs - fromMs)) / 1_000;
    const files = await readdir(folder);
    if (files.length === 0) throw new Error(`${side.name} does not run on Node.`);
    const threads = await Promise.all(
      files.map((file) => readProfile(path.join(folder, file), { fromMs, untilMs, root })),
    );
    return [
      `${side.name}: ${figures.cpuUsPerToken.toFixed(1)} us of CPU a token at ${streams} streams, profiler included`,
      describeSystemThreads(systemThreads, tokens),
      ...threads
        .filter((functions) => totalUsOf(functions) > minShownUs * tokens)
        .map((functions) => describeThread(functions, tokens)),
    ].join("\n\n");
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function run(rig: Rig, side: Side, nodeFlags: readonly string[]) {
  await using running = await rig.start(side, { flow, nodeFlags });
  await addStreams(rig, running, streams);
  await sleep(settleMs);
  const pid = running.pid ?? 0;
  const before = new Map(threadTimesOf(pid).map(({ id, cpuMs }) => [id, cpuMs]));
  const fromMs = monotonicMs();
  const figures = await watchWindow(rig, running, windowMs);
  const systemThreads = threadTimesOf(pid).map((thread) => ({
    ...thread,
    cpuMs: thread.cpuMs - (before.get(thread.id) ?? 0),
  }));
  return { fromMs, untilMs: monotonicMs(), figures, systemThreads };
}

/** CPU times as the system counts them, which include the kernel and the threads that run no JavaScript. */
function describeSystemThreads(threads: readonly ThreadTime[], tokens: number): string {
  const busy = threads.filter(({ cpuMs }) => cpuMs > 0).sort((a, b) => b.cpuMs - a.cpuMs);
  return [
    "threads, as the system counts them:",
    ...busy.map(({ name, cpuMs }) => `${((cpuMs * 1_000) / tokens).toFixed(2).padStart(7)} us  ${name}`),
  ].join("\n");
}

function totalUsOf(functions: readonly FunctionTime[]): number {
  return functions.reduce((sum, { selfUs }) => sum + selfUs, 0);
}

function describeThread(functions: readonly FunctionTime[], tokens: number): string {
  const totalUs = totalUsOf(functions);
  const byFile = new Map<string, number>();
  for (const { file, selfUs } of functions) byFile.set(file, (byFile.get(file) ?? 0) + selfUs);
  const line = (selfUs: number, what: string) =>
    `${(selfUs / tokens).toFixed(2).padStart(7)} us ${((100 * selfUs) / totalUs).toFixed(1).padStart(5)} %  ${what}`;
  return [
    `a thread with ${(totalUs / tokens).toFixed(1)} us a token; by file:`,
    ...[...byFile]
      .sort(([, a], [, b]) => b - a)
      .slice(0, shownFiles)
      .map(([file, selfUs]) => line(selfUs, file)),
    "by function:",
    ...functions
      .slice(0, shownFunctions)
      .map((one) => line(one.selfUs, `${one.name}  ${one.file}:${one.line}`)),
  ].join("\n");
}
