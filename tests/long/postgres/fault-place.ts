import { setTimeout as sleep } from "node:timers/promises";
import type { SeededRandom } from "../../crash/seeded-random.ts";
import type { RedisProcess } from "../peers/redis-process.ts";
import type { FaultyProxy } from "./faulty-proxy.ts";
import type { PostgresServer } from "./postgres-server.ts";
import type { TestNodes } from "./start-nodes.ts";
import type { UnsteadyRedis } from "./unsteady-redis.ts";

/** Where a fault is played. */
export interface FaultPlace {
  readonly database: PostgresServer;
  /** The database's address without a proxy. */
  readonly databaseUrl: string;
  readonly redis: RedisProcess | undefined;
  /** The nodes' way to that Redis. */
  readonly messages: UnsteadyRedis | undefined;
  readonly nodes: TestNodes;
  /** The way of each node to the database, in the order of the nodes. */
  readonly proxies: readonly FaultyProxy[];
  readonly random: SeededRandom;
  /** The nodes, the ways and the database that a fault is being played on, so that another one at the same time leaves them alone. */
  readonly taken: Set<object>;
  /** Called just before the node of this name is killed. */
  readonly onKill: (node: string) => Promise<void>;
  /** Called for each request of which the database has refused a row. */
  readonly onRefused: (requestId: string) => void;
}

/** Takes some nodes or ways that are free, once there are so many. */
export async function takeFree<Item extends object>(
  { taken, random }: FaultPlace,
  all: readonly Item[],
  count: number,
): Promise<{ readonly items: readonly Item[] } & Disposable> {
  const free = () => all.filter((item) => !taken.has(item));
  while (free().length < count) await sleep(20);
  const items = free();
  while (items.length > count) items.splice(random.whole(0, items.length - 1), 1);
  for (const item of items) taken.add(item);
  return {
    items,
    [Symbol.dispose]() {
      for (const item of items) taken.delete(item);
    },
  };
}

/** Plays a fault on one node or way that is free. */
export async function onFree<Item extends object>(
  place: FaultPlace,
  all: readonly Item[],
  play: (item: Item) => Promise<void>,
): Promise<void> {
  using one = await takeFree(place, all, 1);
  for (const item of one.items) await play(item);
}
