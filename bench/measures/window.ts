import { setTimeout as sleep } from "node:timers/promises";
import type { Spread } from "../histogram.ts";
import { coreBusyMs, measuredCore } from "../machine/cores.ts";
import { cpuMsOf, memoryBytesOf } from "../machine/process-tree.ts";
import type { Rig, RunningSide } from "../rig.ts";

/** The figures of a stretch of time in which streams ran. */
export interface WindowFigures {
  readonly streams: number;
  /** CPU time of the side. */
  readonly cpuMs: number;
  /** CPU time of the side for each token that reached the client. */
  readonly cpuUsPerToken: number;
  /** Part of one core that the side used. */
  readonly cpuShare: number;
  readonly tokensPerSecond: number;
  readonly chunksPerSecond: number;
  readonly lag: Spread;
  readonly firstChunk: Spread;
  readonly memoryBytes: number;
  readonly trust: Trust;
}

/** How far the figures are the side's own. */
export interface Trust {
  /** How late the double sent its packets: the delay that the load itself adds. */
  readonly upstreamLateP99Ms: number;
  /** Part of one core that the load used. */
  readonly loadShare: number;
  /** Part of the side's core that other processes used. */
  readonly othersShare: number;
  /** Tokens that arrived, divided by tokens sent. */
  readonly delivered: number;
  /** Number of lost connections for each reason. */
  readonly losses: Readonly<Record<string, number>>;
}

/** Watches the streams for `windowMs`, while `work` runs if it is given. */
export async function watchWindow(
  { client, upstream }: Rig,
  { pid }: RunningSide,
  windowMs: number,
  work: () => Promise<void> = async () => undefined,
): Promise<WindowFigures> {
  const look = () => ({
    cpuMs: pid === undefined ? 0 : cpuMsOf(pid),
    measuredMs: coreBusyMs(measuredCore),
    // All processes of the benchmark, including the side.
    allMs: cpuMsOf(process.pid),
    atMs: performance.now(),
  });
  const [sentBefore] = await Promise.all([upstream.ask("takeState"), client.ask("take")]);
  const before = look();
  await Promise.all([work(), sleep(windowMs)]);
  const after = look();
  const [sent, seen] = await Promise.all([upstream.ask("takeState"), client.ask("take")]);
  const passedMs = after.atMs - before.atMs;
  const cpuMs = after.cpuMs - before.cpuMs;
  return {
    streams: seen.streams,
    cpuMs,
    cpuUsPerToken: (cpuMs * 1_000) / seen.tokens,
    cpuShare: cpuMs / passedMs,
    tokensPerSecond: (seen.tokens * 1_000) / passedMs,
    chunksPerSecond: (seen.chunks * 1_000) / passedMs,
    lag: seen.lag,
    firstChunk: seen.firstChunk,
    memoryBytes: pid === undefined ? 0 : memoryBytesOf(pid),
    trust: {
      upstreamLateP99Ms: sent.p99Ms,
      loadShare: (after.allMs - before.allMs - cpuMs) / passedMs,
      othersShare: Math.max(0, after.measuredMs - before.measuredMs - cpuMs) / passedMs,
      delivered: seen.tokens / (sent.sentTokens - sentBefore.sentTokens),
      losses: seen.losses,
    },
  };
}

const latestUpstreamMs = 20;
const maxLoadShare = 0.9;
const maxOthersShare = 0.1;
const minDelivered = 0.97;

/** The load was at its own limit, so the figures are not the side's. */
export function isLoadAtLimit({ upstreamLateP99Ms, loadShare }: Trust): boolean {
  return upstreamLateP99Ms > latestUpstreamMs || loadShare > maxLoadShare;
}

/** Other processes used the side's core as well. */
export function isDisturbed({ othersShare }: Trust): boolean {
  return othersShare > maxOthersShare;
}

/** The side lost connections, or sent fewer tokens than it received. */
export function isIncomplete({ delivered, losses }: Trust): boolean {
  return delivered < minDelivered || Object.keys(losses).length > 0;
}
