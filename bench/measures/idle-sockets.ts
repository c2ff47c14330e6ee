import { setTimeout as sleep } from "node:timers/promises";
import { memoryBytesOf } from "../machine/process-tree.ts";
import type { Rig } from "../rig.ts";
import type { Side } from "../sides/side.ts";

const fewSockets = 1_000;
const manySockets = 10_000;
const settleMs = 2_000;

/**
 * Memory of one more connection that is open and silent. Taken from the growth between few and many, which leaves out the
 * fixed part.
 */
export async function measureIdleSocket(rig: Rig, side: Side): Promise<number> {
  const flow = { tokensPerSecond: 25, eventsPerPacket: 1 };
  await using running = await rig.start(side, { flow });
  const memoryWith = async (more: number) => {
    await rig.client.ask("connect", running.target, more);
    await sleep(settleMs);
    return memoryBytesOf(running.pid ?? 0);
  };
  const few = await memoryWith(fewSockets);
  const many = await memoryWith(manySockets - fewSockets);
  return (many - few) / (manySockets - fewSockets);
}
