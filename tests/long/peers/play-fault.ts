import { setTimeout as sleep } from "node:timers/promises";
import { createDataFolder } from "../../crash/data-folder.ts";
import { createServerProcess } from "../../crash/server-process.ts";
import type { Fault } from "./faults.ts";
import type { Peer } from "./peer.ts";
import type { RedisProcess } from "./redis-process.ts";
import { createRelay } from "./relay.ts";
import { chunkCount, createNumberedUpstream, createShown, type Shown } from "./script.ts";

/** The result that a client had in the end. */
export interface Outcome {
  readonly shown: number;
  /** Chunks that never arrived: of all chunks or, if the server died, of those before the last one shown. */
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  /** How the client was told that the answer is over; `none` if it was not told in time. */
  readonly end: string;
  /** Calls of the upstream beyond the first. */
  readonly furtherCalls: number;
}

/** Maximum silence before a fault, or an end, is given up. The longest fault takes 3 s by itself. */
const patienceMs = 10_000;

/** Whether a peer has the part that the fault acts on. */
export function canSuffer({ usesRedis, blink }: Peer, { needs }: Fault): boolean {
  if (needs === undefined) return true;
  return usesRedis || (needs === "store" && blink !== undefined);
}

/** Settles when no chunk has arrived for `patienceMs`. A busy machine is slow, but does not lose anything by it. */
async function silence(shown: Shown): Promise<string> {
  for (let count = -1; count !== shown.arrivals; ) {
    count = shown.arrivals;
    await sleep(patienceMs, undefined, { ref: false });
  }
  return "none";
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
  // A fault that waits for a chunk may wait for ever.
  await Promise.race([struck, silence(shown)]);
  const end = await Promise.race([asking.end, silence(shown)]);
  const { count, last, doubled, reordered } = shown;
  return {
    shown: count,
    lost: (fault.kills === true ? last : chunkCount) - count,
    doubled,
    reordered,
    end,
    furtherCalls: Math.max(0, upstream.calls - 1),
  };
}
