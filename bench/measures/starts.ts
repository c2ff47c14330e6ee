import { setTimeout as sleep } from "node:timers/promises";
import type { Rig } from "../rig.ts";
import type { Side } from "../sides/side.ts";
import { type WindowFigures, watchWindow } from "./window.ts";

export interface StartsPlan {
  readonly startsPerSecond: number;
  readonly windowMs: number;
}

/** Each answer lasts one second. */
const flow = { tokensPerSecond: 25, eventsPerPacket: 1, tokensPerAnswer: 25 };
/** Measures a server that has been running: V8 compiles hot code in the first seconds. */
const warmUpMs = 5_000;

/** Starts a fixed number of short answers a second, each on a connection that was open before. */
export async function measureStarts(
  rig: Rig,
  side: Side | undefined,
  { startsPerSecond, windowMs }: StartsPlan,
): Promise<WindowFigures> {
  await using running = await rig.start(side, { flow });
  const startsIn = (ms: number) => Math.round((startsPerSecond * ms) / 1_000);
  await rig.client.ask("connect", running.target, startsIn(warmUpMs + windowMs));
  await rig.client.ask("ask", startsIn(warmUpMs), warmUpMs);
  await sleep(500);
  // Awaited here, because the side must stay up until then.
  return await watchWindow(rig, running, windowMs, () => rig.client.ask("ask", startsIn(windowMs), windowMs));
}
