import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { startTroupe } from "../support/start-troupe.ts";
import { createCountingUpstream } from "./counting-upstream.ts";
import { createCrowd } from "./crowd.ts";
import { createCuttingProxy } from "./cutting-proxy.ts";
import { createDataFolder } from "./data-folder.ts";
import { checkDisk } from "./disk-check.ts";
import { createFindings, type Findings } from "./findings.ts";
import { createRecordShelf } from "./record-shelf.ts";
import { checkReplays } from "./replay-check.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { checkRequests } from "./verdict.ts";

export interface ClientCutsOptions {
  readonly cuts: number;
  readonly streams: number;
  readonly seed: number;
}

/** Time that the requests have to end, and the connections to close, once the cuts are over. */
const patienceMs = 60_000;

/**
 * Cuts clients' connections at random bytes in both directions while their requests run; the clients reconnect. Then
 * compares the frames seen, a replay, and the content of the disk.
 */
export async function runClientCuts({ cuts, streams, seed }: ClientCutsOptions): Promise<{
  readonly figures: Readonly<Record<string, number | string>>;
  readonly findings: Findings;
}> {
  const random = createSeededRandom(seed);
  const findings = createFindings();
  await using place = await createDataFolder();
  await using shelf = await createRecordShelf();
  const nothing = () => undefined;
  const note = (fields: object, message: string) =>
    findings.note("faults in the server's log", `${message}: ${inspect(fields)}`);
  const logger = { debug: nothing, info: nothing, warn: note, error: note };
  await using upstream = await createCountingUpstream({ delayMs: () => random.whole(2, 30) });
  const server = await startTroupe({
    store: "sqlite",
    data: place.folder,
    logger,
    openaiApiKey: "test-key",
    openaiBaseUrl: upstream.baseUrl,
  });
  await using proxy = await createCuttingProxy(Number(new URL(server.url).port), random);
  const crowd = createCrowd({
    streams,
    random,
    findings,
    url: () => proxy.url,
    life: () => 1,
    onRead: shelf.put,
  });
  await proxy.reached(cuts);
  proxy.heal();
  await Promise.race([crowd.finish(), sleep(patienceMs, undefined, { ref: false })]);
  crowd.close();
  const records = [...shelf.records, ...crowd.unread];
  const { interrupted, otherEnds, ...endings } = checkRequests(records, upstream, findings);
  if (interrupted + otherEnds > 0) findings.note("wrong texts", "not completed", interrupted + otherEnds);
  await checkReplays(server.url, records, findings);
  const { stats } = server.troupe;
  await until(() => stats().turns === 0 && stats().connections === 0);
  const { turns, connections } = stats();
  await server[Symbol.asyncDispose]();
  await until(() => upstream.openConnections() === 0);
  const disk = checkDisk(place.database, records, findings);
  const { counts } = crowd;
  const figures = {
    seed,
    "concurrent streams": streams,
    ...Object.fromEntries(Object.entries(proxy.cuts).map(([way, count]) => [`cuts, ${way}`, count])),
    connections: counts.connections,
    "followings cut in the middle": counts.cutInAnswer,
    "of them in a replay": counts.cutInReplay,
    resumes: counts.resumes,
    "requests sent again": counts.repeatedAsks,
    ...endings,
    "provider calls": upstream.calls,
    ...disk,
    "requests left running": turns,
    "connections left open": connections,
    "provider calls left open": upstream.openConnections(),
  };
  return { figures, findings };
}

/** Waits until the kernel has told both sides of a closed connection, but at most 10 s. */
async function until(isSo: () => boolean): Promise<void> {
  const untilMs = performance.now() + 10_000;
  while (!isSo() && performance.now() < untilMs) await sleep(20);
}
