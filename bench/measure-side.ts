import { type Capacity, searchCapacity } from "./measures/capacity.ts";
import { measureIdleSocket } from "./measures/idle-sockets.ts";
import { measureStarts } from "./measures/starts.ts";
import { measureStreams, type StreamsFigures } from "./measures/streams.ts";
import type { WindowFigures } from "./measures/window.ts";
import type { Plan } from "./plan.ts";
import type { Rig } from "./rig.ts";
import type { Side } from "./sides/side.ts";

/** All figures of one side. Without `side`, of the client asking the double itself. */
export interface SideFigures {
  readonly side: Side | undefined;
  /** Why there are no figures. */
  readonly missing?: string;
  /** By the upstream's name. */
  readonly upstreams: ReadonlyMap<string, StreamsFigures>;
  readonly growth?: StreamsFigures;
  readonly starts?: WindowFigures;
  readonly capacity?: Capacity;
  readonly idleSocketBytes?: number;
}

/** Measures one side by the plan. A measurement that fails is reported, and the others still run. */
export async function measureSide(rig: Rig, side: Side | undefined, plan: Plan): Promise<SideFigures> {
  const missing = side?.missing?.();
  if (missing !== undefined) return { side, missing, upstreams: new Map() };
  try {
    return await measure(rig, side, plan);
  } catch (error) {
    return { side, missing: error instanceof Error ? error.message : String(error), upstreams: new Map() };
  }
}

async function measure(rig: Rig, side: Side | undefined, plan: Plan): Promise<SideFigures> {
  const upstreams = new Map<string, StreamsFigures>();
  for (const [index, { name, plan: streams }] of plan.upstreams.entries()) {
    if (index > 0 && !plan.sidesOfUpstreams.includes(side?.name ?? "")) continue;
    upstreams.set(name, await measureStreams(rig, side, streams));
  }
  const starts = await measureStarts(rig, side, plan.starts);
  if (plan.growth === undefined || side === undefined) return { side, upstreams, starts };
  const growth = await measureStreams(rig, side, plan.growth);
  const capacity = plan.hasSearch ? await searchCapacity(rig, side, growth) : undefined;
  const isSocket = side.target.wire !== "http";
  const idleSocketBytes = plan.hasIdleSockets && isSocket ? await measureIdleSocket(rig, side) : undefined;
  return {
    side,
    upstreams,
    starts,
    growth,
    ...(capacity === undefined ? {} : { capacity }),
    ...(idleSocketBytes === undefined ? {} : { idleSocketBytes }),
  };
}
