import type { SeededRandom } from "../../crash/seeded-random.ts";
import type { RedisProcess } from "../peers/redis-process.ts";
import type { FaultyProxy } from "./faulty-proxy.ts";
import type { PostgresServer } from "./postgres-server.ts";
import type { TestNodes } from "./start-nodes.ts";

/** Where a fault is played. */
export interface FaultPlace {
  readonly database: PostgresServer;
  /** The database's address without a proxy. */
  readonly databaseUrl: string;
  readonly redis: RedisProcess | undefined;
  readonly nodes: TestNodes;
  /** The way of each node to the database, in the order of the nodes. */
  readonly proxies: readonly FaultyProxy[];
  readonly random: SeededRandom;
  /** Called just before the node of this name is killed. */
  readonly onKill: (node: string) => Promise<void>;
  /** Called for each request of which the database has refused a row. */
  readonly onRefused: (requestId: string) => void;
}
