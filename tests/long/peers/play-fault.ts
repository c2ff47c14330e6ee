import { createDataFolder } from "../../crash/data-folder.ts";
import { createServerProcess } from "../../crash/server-process.ts";
import type { Fault } from "./faults.ts";
import { finish, type Outcome } from "./outcome.ts";
import type { Peer } from "./peer.ts";
import type { RedisProcess } from "./redis-process.ts";
import { createRelay } from "./relay.ts";
import { createNumberedUpstream, createShown } from "./script.ts";

/** Whether a peer has the part that the fault acts on. */
export function canSuffer({ usesRedis, blink }: Peer, { needs }: Fault): boolean {
  if (needs === undefined) return true;
  return usesRedis || (needs === "store" && blink !== undefined);
}

/** Plays the answer through a peer with its own server process, and a fault in its middle. */
export async function playFault(peer: Peer, fault: Fault, redis: RedisProcess): Promise<Outcome> {
  await using cleanUp = new AsyncDisposableStack();
  const place = cleanUp.use(await createDataFolder());
  const upstream = cleanUp.use(await createNumberedUpstream());
  const surroundings = { upstreamUrl: upstream.baseUrl, redisUrl: redis.url, folder: place.folder };
  const server = createServerProcess(peer.server(surroundings));
  server.start();
  cleanUp.defer(() => server.kill());
  await server.listening();
  const relay = cleanUp.use(await createRelay(() => Number(new URL(server.url ?? "").port)));
  const shown = createShown();
  const asking = peer.ask(relay.port, "the-answer", shown.take);
  cleanUp.defer(() => asking.close());
  const struck = fault.strike({
    relay,
    server,
    shown,
    redis,
    blink: (ms) => peer.blink?.(ms, surroundings) ?? redis.blink(ms),
  });
  return await finish({ struck, asking, shown, upstream, kills: fault.kills === true });
}
