import { createDataFolder } from "../../crash/data-folder.ts";
import { createServerProcess, type ServerProcess } from "../../crash/server-process.ts";
import { emptyDatabase, sharedServer } from "../postgres/open-store.ts";
import type { NodeFault } from "./node-faults.ts";
import { finish, type Outcome } from "./outcome.ts";
import type { Peer } from "./peer.ts";
import { startRedis } from "./redis-process.ts";
import { createRelay } from "./relay.ts";
import { createNumberedUpstream, createShown } from "./script.ts";

const portOf = ({ url = "" }: ServerProcess) => Number(new URL(url).port);

/** Plays the answer through several nodes of a peer, and a fault in its middle. The client asks at the first node. */
export async function playNodeFault(peer: Peer, fault: NodeFault, count: number): Promise<Outcome> {
  await using cleanUp = new AsyncDisposableStack();
  const upstream = cleanUp.use(await createNumberedUpstream());
  const redis = cleanUp.use(await startRedis());
  const databaseUrl = peer.usesRedis ? {} : { databaseUrl: await emptyDatabase() };
  const startNode = async (): Promise<ServerProcess> => {
    const { folder } = cleanUp.use(await createDataFolder());
    const surroundings = { upstreamUrl: upstream.baseUrl, redisUrl: redis.url, folder, ...databaseUrl };
    const node = createServerProcess(peer.server(surroundings));
    cleanUp.defer(() => node.kill());
    node.start();
    await node.listening();
    return node;
  };
  const [first, ...others] = await Promise.all(Array.from({ length: count }, startNode));
  if (first === undefined) throw new Error("There must be a node.");
  const nodes = [first, ...others] as const;
  let aim = 0;
  const relay = cleanUp.use(await createRelay(() => portOf(nodes[aim] ?? first)));
  const shown = createShown();
  const asking = peer.ask(relay.port, "the-answer", shown.take);
  cleanUp.defer(() => asking.close());
  const struck = fault.strike({
    ...{ nodes, relay, shown },
    aimAt(node) {
      aim = node;
    },
    crashStore: async () => (peer.usesRedis ? redis.crash() : (await sharedServer()).restart()),
  });
  return await finish({ struck, asking, shown, upstream, kills: fault.kills === true });
}
