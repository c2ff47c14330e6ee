import type { Limits, SideFigures } from "./figures.ts";
import { searchCapacity } from "./measures/capacity.ts";
import { measureIdleSocket } from "./measures/idle-sockets.ts";
import { measureStreams } from "./measures/streams.ts";
import type { LimitsPlan } from "./plan.ts";
import type { Rig } from "./rig.ts";
import type { Side } from "./sides/side.ts";

/** Adds a side's limits to its figures. If the measurement fails, the figures get its reason instead. */
export async function addLimits(rig: Rig, figures: SideFigures, plan: LimitsPlan): Promise<SideFigures> {
  const { side, missing } = figures;
  if (side === undefined || missing !== undefined) return figures;
  try {
    return { ...figures, limits: await measureLimits(rig, side, plan) };
  } catch (error) {
    return { ...figures, missing: error instanceof Error ? error.message : String(error) };
  }
}

async function measureLimits(rig: Rig, side: Side, plan: LimitsPlan): Promise<Limits> {
  const growth = await measureStreams(rig, side, plan.growth);
  const capacity = await searchCapacity(rig, side, growth);
  if (side.target.wire === "http") return { growth, capacity };
  return { growth, capacity, idleSocketBytes: await measureIdleSocket(rig, side) };
}
