import { setTimeout as sleep } from "node:timers/promises";
import { memoryBytesOf } from "../machine/process-tree.ts";
import type { Rig, RunningSide } from "../rig.ts";
import type { Side } from "../sides/side.ts";
import type { Flow } from "../upstream/token-wheel.ts";
import { type WindowFigures, watchWindow } from "./window.ts";

export interface StreamsPlan {
  readonly flow: Flow;
  readonly isSecure: boolean;
  /** Numbers of streams at the same time, growing. */
  readonly levels: readonly number[];
  /** How long the streams of a level run before they are watched: a server that has been running is measured, not one that begins. */
  readonly settleMs: number;
  readonly windowMs: number;
}

export interface StreamsFigures {
  readonly windows: readonly WindowFigures[];
  /** What the side held before its first stream and after its warming up. */
  readonly idleBytes: number;
}

const startsPerSecond = 250;
/** For what comes before the first level, and behind its end. */
const pauseMs = 1_500;
const warmUpStreams = 50;
/** Beyond this p99 of lag a side does not hold its streams any more. */
export const mostLagMs = 150;

/** Asks a warm side for more and more streams, and watches each level for a while. Stops after a level that it does not hold. */
export async function measureStreams(
  rig: Rig,
  side: Side | undefined,
  plan: StreamsPlan,
): Promise<StreamsFigures> {
  const { flow, isSecure, levels, settleMs, windowMs } = plan;
  await using running = await rig.start(side, { flow, isSecure });
  await addStreams(rig, running, warmUpStreams);
  await sleep(pauseMs);
  await rig.client.ask("closeAll");
  await sleep(pauseMs);
  const idleBytes = running.pid === undefined ? 0 : memoryBytesOf(running.pid);
  const windows: WindowFigures[] = [];
  let streams = 0;
  for (const level of levels) {
    await addStreams(rig, running, level - streams);
    streams = level;
    await sleep(settleMs);
    const figures = await watchWindow(rig, running, windowMs);
    windows.push(figures);
    if (figures.lag.p99Ms > mostLagMs) break;
  }
  return { windows, idleBytes };
}

/** Opens so many more connections and asks for a stream on each. */
export async function addStreams({ client }: Rig, { target }: RunningSide, count: number): Promise<void> {
  await client.ask("connect", target, count);
  await client.ask("ask", count, (count * 1_000) / startsPerSecond);
}
