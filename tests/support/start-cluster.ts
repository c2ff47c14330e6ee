import { assembleTroupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import { openRemoteStores } from "../../src/compose/open-remote-stores.ts";
import { type ClusterOptions, openCluster } from "../adapters/cluster/open-cluster.ts";
import { type RunningTroupe, serveTroupe } from "./start-troupe.ts";

/** One of several servers on the same stores. */
export interface ClusterServer extends RunningTroupe {
  /** Acts as if its process had exited: its connections and its line are cut. Its turns go on, but reach no other part. */
  die(): void;
}

/** Starts servers that share their stores as processes of one machine do, all in this process. */
export async function startCluster(
  count: number,
  options: TroupeOptions,
  limits: Omit<ClusterOptions, "clock"> = {},
) {
  const stack = new AsyncDisposableStack();
  const { clock } = options;
  const cluster = stack.use(
    await openCluster({ budgets: options, ...limits, ...(clock === undefined ? {} : { clock }) }),
  );

  async function start(): Promise<ClusterServer> {
    const { channel, line } = cluster.join();
    const troupe = await assembleTroupe({ localProviders: [], ...options }, openRemoteStores(channel));
    const server = stack.use(await serveTroupe(troupe));
    return {
      ...server,
      die() {
        line.cut();
        server.cut();
      },
    };
  }

  return {
    servers: await Promise.all(Array.from({ length: count }, start)),
    start,
    store: cluster.store,
    storeClock: cluster.storeClock,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
