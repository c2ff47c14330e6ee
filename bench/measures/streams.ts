import { setTimeout as sleep } from "node:timers/promises";
import { memoryBytesOf } from "../machine/process-tree.ts";
import type { Rig, RunningSide } from "../rig.ts";
import type { Side } from "../sides/side.ts";
import type { Flow } from "../upstream/token-wheel.ts";
import { type WindowFigures, watchWindow } from "./window.ts";

export interface StreamsPlan {
  readonly flow: Flow;
  readonly isSecure: boolean;
  /** Numbers of concurrent streams, in growing order. */
  readonly levels: readonly number[];
  /**
   * How long the streams of a level run before they are watched, so that a warm server is measured and not one that has
   * just started.
   */
  readonly settleMs: number;
  readonly windowMs: number;
}

export interface StreamsFigures {
  readonly windows: readonly WindowFigures[];
  /** Memory that the side held after warming up and before its first stream. */
  readonly idleBytes: number;
}

const startsPerSecond = 250;
/** Pause before the first level and after the last one. */
const pauseMs = 1_500;
const warmUpStreams = 50;
/** A side with a higher p99 of lag does not hold its streams. */
export const maxLagMs = 150;

/**
 * Asks a warm side for more and more streams, and watches each level for a while. Stops after the first level that the
 * side does not hold.
 */
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
    if (figures.lag.p99Ms > maxLagMs) break;
  }
  return { windows, idleBytes };
}

/** Opens `count` more connections and asks for a stream on each. */
export async function addStreams({ client }: Rig, { target }: RunningSide, count: number): Promise<void> {
  await client.ask("connect", target, count);
  await client.ask("ask", count, (count * 1_000) / startsPerSecond);
}
