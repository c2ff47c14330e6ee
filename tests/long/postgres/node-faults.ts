import { setTimeout as sleep } from "node:timers/promises";
import type { SeededRandom } from "../../crash/seeded-random.ts";
import type { ServerProcess } from "../../crash/server-process.ts";
import { databaseFaults } from "./database-faults.ts";
import { type FaultPlace, onFree, takeFree } from "./fault-place.ts";
import type { FaultyProxy } from "./faulty-proxy.ts";
import { runOn } from "./open-store.ts";

/** Plays a fault, or notes one in the database, while no other fault restarts it. */
function whileUp(place: FaultPlace, play: () => Promise<void>): Promise<void> {
  return onFree(place, [place.database], play);
}

async function killBackend({ databaseUrl, random }: FaultPlace): Promise<void> {
  const backends = await runOn(
    databaseUrl,
    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'troupe%' ORDER BY application_name, pid",
  );
  const backend = backends[random.whole(0, backends.length - 1)];
  await runOn(databaseUrl, "SELECT pg_terminate_backend($1)", [backend?.pid]);
}

function waysOf({ proxies, nodes }: FaultPlace, node: ServerProcess): readonly FaultyProxy[] {
  return proxies.filter((_, number) => nodes.all[number] === node);
}

/** Plays a fault on any node. */
function onNode(place: FaultPlace, play: (node: ServerProcess) => Promise<void>): Promise<void> {
  return onFree(place, place.nodes.all, play);
}

/**
 * A node that finds no database when it starts ends, and is started again until it serves. No fault is played on its way meanwhile: with broken
 * connections it would not come to serve.
 */
async function startAgain(place: FaultPlace, node: ServerProcess): Promise<void> {
  using _way = await takeFree(place, waysOf(place, node), 1);
  for (let tries = 1; ; tries += 1) {
    node.start();
    try {
      await node.listening();
      return;
    } catch (fault) {
      if (tries === mostStarts) throw fault;
      await sleep(500);
    }
  }
}
const mostStarts = 20;

async function kill(place: FaultPlace, count: number): Promise<void> {
  const { nodes, random, onKill } = place;
  using some = await takeFree(place, nodes.all, count);
  await whileUp(place, async () => {
    for (const node of some.items) await onKill(nodes.nameOf(node));
    await Promise.all(some.items.map((node) => node.kill()));
  });
  await sleep(random.between(0, 3_000));
  await Promise.all(some.items.map((node) => startAgain(place, node)));
}

/** Blocks one way of a node. */
async function block(proxy: FaultyProxy, way: "statements" | "answers", ms: number): Promise<void> {
  proxy.block(way);
  await sleep(ms);
  proxy.heal();
}

/** Longer than others need to call the node dead, or shorter. */
function blockAny(place: FaultPlace, way: "statements" | "answers"): Promise<void> {
  const ms = place.random.pick([2_000, 10_000]);
  return onFree(place, place.proxies, (proxy) => block(proxy, way, ms));
}

/** For so long that the node cannot start meanwhile. */
function blockLong(place: FaultPlace, way: "statements" | "answers"): Promise<void> {
  return onNode(place, async (node) => {
    await onFree(place, waysOf(place, node), (proxy) => block(proxy, way, 30_000));
  });
}

/** A node that has lost its connection waits for half a second before it connects again. */
const reconnectMs = 600;
/** There is a commit within this time, unless the database is away. */
const commitMs = 1_500;

/** Loses the answers of some commits of one node, each on a connection of its own. */
async function loseAnswers(proxy: FaultyProxy, random: SeededRandom): Promise<void> {
  for (let count = 0; count < 3; count += 1) {
    proxy.swallow();
    const untilMs = performance.now() + commitMs;
    while (proxy.swallowedCommits === 0 && performance.now() < untilMs) await sleep(5);
    await sleep(random.between(0, 200));
    proxy.cut();
    await sleep(reconnectMs + random.between(0, 200));
    // The database gets to know that the client is gone.
    proxy.heal();
  }
}

/** Each kind of fault; settles when the fault is over. */
const kinds = {
  kill: (place) => kill(place, 1),
  "kill of two": (place) => kill(place, 2),
  stop: (place) =>
    onNode(place, async (node) => {
      // Others take over a process that stands still, and it starts again once it goes on.
      place.nodes.signal(node, "SIGSTOP");
      await sleep(15_000);
      place.nodes.signal(node, "SIGCONT");
    }),
  "stop in order": (place) =>
    onNode(place, async (node) => {
      await node.stop();
      await startAgain(place, node);
    }),
  "restart of the database": (place) => whileUp(place, () => place.database.restart("immediate")),
  "restart of the database in order": (place) => whileUp(place, () => place.database.restart("fast")),
  "kill of a backend": (place) => whileUp(place, () => killBackend(place)),
  async "lost answers of commits"(place) {
    const free = place.proxies.filter((proxy) => !place.taken.has(proxy));
    await Promise.all(free.map((proxy) => onFree(place, [proxy], () => loseAnswers(proxy, place.random))));
  },
  "late statements": (place) =>
    onFree(place, place.proxies, async (proxy) => {
      // A heartbeat comes within a second, unless the node is not connected.
      await Promise.race([proxy.hold(), sleep(2_000)]);
      await sleep(place.random.between(50, 300));
      proxy.cut();
      await sleep(place.random.between(500, 2_000));
      await proxy.release();
      proxy.heal();
    }),
  "no way to the database": (place) => blockAny(place, "statements"),
  "no way from the database": (place) => blockAny(place, "answers"),
} as const satisfies Record<string, (place: FaultPlace) => Promise<void>>;

/** Kinds that a short run has no time for, or that have a program of their own. */
const longKinds = {
  /** Its first process is killed while it connects, migrates or looks for others, and again later. */
  "kill in the start": (place) =>
    onNode(place, async (node) => {
      await node.stop();
      for (let count = 0; count < 2; count += 1) {
        node.start();
        await sleep(place.random.between(100, 1_500));
        await node.kill();
      }
      await startAgain(place, node);
    }),
  /** The nodes stop in order and start again, one after the other, as at an upgrade. */
  async "rolling restart"(place) {
    for (const node of place.nodes.all) {
      await node.stop();
      await startAgain(place, node);
    }
  },
  failover: ({ database }) => database.restart("immediate"),
  "no way to the database for 30 s": (place) => blockLong(place, "statements"),
  "no way from the database for 30 s": (place) => blockLong(place, "answers"),
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
  async "freeze of Redis for 30 s"({ redis }) {
    redis?.freeze();
    await sleep(30_000);
    redis?.thaw();
  },
  async "messages of Redis that get lost, come twice or late"({ messages }) {
    messages?.upset();
    await sleep(6_000);
    messages?.calm();
  },
  async "flush of Redis"({ redis }) {
    await redis?.flush();
  },
} as const satisfies Record<string, (place: FaultPlace) => Promise<void>>;

export type RedisFault = keyof typeof redisKinds;
export type DatabaseFault = keyof typeof databaseFaults;
export type NodeFault = keyof typeof kinds | keyof typeof longKinds | RedisFault | DatabaseFault;

/** The kinds of fault that are short and need no Redis. */
export const nodeFaults = Object.keys(kinds) as readonly (keyof typeof kinds)[];

/** Plays a fault; settles when it is over. */
export function playFault(fault: NodeFault, place: FaultPlace): Promise<void> {
  const all: Readonly<Record<NodeFault, (place: FaultPlace) => Promise<void>>> = {
    ...kinds,
    ...longKinds,
    ...redisKinds,
    ...databaseFaults,
  };
  return all[fault](place);
}
