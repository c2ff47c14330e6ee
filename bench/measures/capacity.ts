import { setTimeout as sleep } from "node:timers/promises";
import type { Rig } from "../rig.ts";
import type { Side } from "../sides/side.ts";
import { addStreams, maxLagMs, type StreamsFigures } from "./streams.ts";
import { isLoadAtLimit, watchWindow } from "./window.ts";

export interface Capacity {
  /** The highest number of streams with a p99 of lag below the limit. */
  readonly streams: number;
  /** The load reached its own limit first, so the side may hold more. */
  readonly isLimitedByLoad: boolean;
}

const flow = { tokensPerSecond: 25, eventsPerPacket: 1 };
const growth = 1.15;
const settleMs = 1_500;
const windowMs = 2_500;
/** The maximum that the client's connections and the double's share of ports and files allow. */
const maxStreams = 8_000;

/**
 * Adds streams to a fresh side until it no longer holds them. It starts below the number that would use up the side's
 * CPU.
 */
export async function searchCapacity(rig: Rig, side: Side, known: StreamsFigures): Promise<Capacity> {
  const held = known.windows.filter(({ lag }) => lag.p99Ms <= maxLagMs).at(-1);
  const fullAt = 1_000_000 / ((held?.cpuUsPerToken ?? 1_000) * flow.tokensPerSecond);
  let capacity: Capacity = { streams: held?.streams ?? 0, isLimitedByLoad: false };
  await using running = await rig.start(side, { flow });
  let streams = 0;
  for (let level = Math.max(10, Math.round(fullAt * 0.6)); level <= maxStreams; level *= growth) {
    await addStreams(rig, running, Math.round(level) - streams);
    streams = Math.round(level);
    await sleep(settleMs);
    const { lag, trust } = await watchWindow(rig, running, windowMs);
    if (isLoadAtLimit(trust)) return { ...capacity, isLimitedByLoad: true };
    if (lag.p99Ms > maxLagMs) return capacity;
    capacity = { streams, isLimitedByLoad: false };
  }
  return { ...capacity, isLimitedByLoad: true };
}
