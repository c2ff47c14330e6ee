import { setTimeout as sleep } from "node:timers/promises";
import type { Plan, Upstream } from "../plan.ts";
import type { Rig, RunningSide } from "../rig.ts";
import { addStreams } from "./streams.ts";
import { type WindowFigures, watchWindow } from "./window.ts";

/** Watches a side that is already warm while it brings the streams of one upstream. */
export async function measureTokens(
  rig: Rig,
  running: RunningSide,
  { flow, streams }: Upstream,
  { settleMs, windowMs }: Plan,
): Promise<WindowFigures> {
  await rig.upstream.ask("flow", flow);
  await addStreams(rig, running, streams);
  await sleep(settleMs);
  const figures = await watchWindow(rig, running, windowMs);
  await rig.client.ask("closeAll");
  return figures;
}
