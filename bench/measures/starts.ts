import { setTimeout as sleep } from "node:timers/promises";
import type { Rig } from "../rig.ts";
import type { Side } from "../sides/side.ts";
import { type WindowFigures, watchWindow } from "./window.ts";

export interface StartsPlan {
  readonly startsPerSecond: number;
  readonly windowMs: number;
}

/** Answers of one second. */
const flow = { tokensPerSecond: 25, eventsPerPacket: 1, tokensPerAnswer: 25 };
/** For a server that has been running: V8, for one, compiles what runs often in the first seconds. */
const warmUpMs = 5_000;

/** Short answers, so many begun a second, each on a connection that was there before. */
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
  // Awaited here: the side must be there until then.
  return await watchWindow(rig, running, windowMs, () => rig.client.ask("ask", startsIn(windowMs), windowMs));
}
