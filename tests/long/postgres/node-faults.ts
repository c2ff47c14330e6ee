import { setTimeout as sleep } from "node:timers/promises";
import { databaseFaults } from "./database-faults.ts";
import type { FaultPlace } from "./fault-place.ts";
import type { FaultyProxy } from "./faulty-proxy.ts";
import { runOn } from "./open-store.ts";

async function kill({ nodes, random, onKill }: FaultPlace, count: number): Promise<void> {
  const first = nodes.any(random);
  const others = nodes.all.filter((node) => node !== first).slice(0, count - 1);
  const killed = [first, ...others];
  for (const node of killed) await onKill(nodes.nameOf(node));
  await Promise.all(killed.map((node) => node.kill()));
  await sleep(random.between(0, 3_000));
  for (const node of killed) node.start();
  await Promise.all(killed.map((node) => node.listening()));
}

function anyProxy({ proxies, random }: FaultPlace): FaultyProxy {
  const proxy = proxies[random.whole(0, proxies.length - 1)];
  if (proxy === undefined) throw new Error("There must be a proxy.");
  return proxy;
}

/** Longer than others need to call the node dead, or shorter. */
async function block(place: FaultPlace, way: "statements" | "answers"): Promise<void> {
  const proxy = anyProxy(place);
  proxy.block(way);
  await sleep(place.random.pick([2_000, 10_000]));
  proxy.heal();
}

/** Each kind of fault; settles when the fault is over. */
const kinds = {
  kill: (place) => kill(place, 1),
  "kill of two": (place) => kill(place, 2),
  async stop({ nodes, random }) {
    const node = nodes.any(random);
    // Others take over a process that stands still, and it starts again once it goes on.
    nodes.signal(node, "SIGSTOP");
    await sleep(10_000);
    nodes.signal(node, "SIGCONT");
  },
  async "stop in order"({ nodes, random }) {
    const node = nodes.any(random);
    await node.stop();
    node.start();
    await node.listening();
  },
  "restart of the database": ({ database }) => database.restart("immediate"),
  "restart of the database in order": ({ database }) => database.restart("fast"),
  async "kill of a backend"({ databaseUrl, random }) {
    const backends = await runOn(
      databaseUrl,
      "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'troupe%' ORDER BY application_name, pid",
    );
    const backend = backends[random.whole(0, backends.length - 1)];
    await runOn(databaseUrl, "SELECT pg_terminate_backend($1)", [backend?.pid]);
  },
  async "lost answers of commits"(place) {
    const proxy = anyProxy(place);
    proxy.swallow();
    await sleep(place.random.between(50, 300));
    proxy.cut();
  },
  async "late statements"(place) {
    const proxy = anyProxy(place);
    // A heartbeat comes within a second, unless the node is not connected.
    await Promise.race([proxy.hold(), sleep(2_000)]);
    await sleep(place.random.between(50, 300));
    proxy.cut();
    await sleep(place.random.between(500, 2_000));
    await proxy.release();
    proxy.heal();
  },
  "no way to the database": (place) => block(place, "statements"),
  "no way from the database": (place) => block(place, "answers"),
} as const satisfies Record<string, (place: FaultPlace) => Promise<void>>;

const redisKinds = {
  async "kill of Redis"({ redis, random }) {
    await redis?.kill();
    await sleep(random.between(0, 2_000));
    await redis?.start();
  },
  async "freeze of Redis"({ redis }) {
    redis?.freeze();
    // Longer than the nodes need to find it.
    await sleep(5_000);
    redis?.thaw();
  },
  async "flush of Redis"({ redis }) {
    await redis?.flush();
  },
} as const satisfies Record<string, (place: FaultPlace) => Promise<void>>;

export type RedisFault = keyof typeof redisKinds;
export type DatabaseFault = keyof typeof databaseFaults;
export type NodeFault = keyof typeof kinds | RedisFault | DatabaseFault;

/** The kinds of fault that are short and need no Redis. */
export const nodeFaults = Object.keys(kinds) as readonly (keyof typeof kinds)[];

/** Plays a fault; settles when it is over. */
export function playFault(fault: NodeFault, place: FaultPlace): Promise<void> {
  const all: Readonly<Record<NodeFault, (place: FaultPlace) => Promise<void>>> = {
    ...kinds,
    ...redisKinds,
    ...databaseFaults,
  };
  return all[fault](place);
}
