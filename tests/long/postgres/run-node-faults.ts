import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "../../crash/counting-upstream.ts";
import { createCrowd } from "../../crash/crowd.ts";
import { createFindings, type Findings } from "../../crash/findings.ts";
import { createRecordShelf } from "../../crash/record-shelf.ts";
import { checkReplays } from "../../crash/replay-check.ts";
import { createSeededRandom } from "../../crash/seeded-random.ts";
import { checkRequests, type Endings } from "../../crash/verdict.ts";
import type { RedisProcess } from "../peers/redis-process.ts";
import { rowFaults } from "./check-rows.ts";
import { createDeathGaps } from "./death-gaps.ts";
import { createFaultyProxy } from "./faulty-proxy.ts";
import { countInvariants } from "./invariants.ts";
import { type NodeFault, playFault } from "./node-faults.ts";
import { emptyDatabase, sharedServer } from "./open-store.ts";
import { checkRefused } from "./refused-rows.ts";
import { startNodes, untilServing } from "./start-nodes.ts";
import { watchWrites, wrongWrites } from "./watch-writes.ts";

interface NodeFaultOptions {
  readonly faults: readonly NodeFault[];
  readonly streams: number;
  readonly seed: number;
  /** How long clients wait for their ends after the last fault, milliseconds. */
  readonly patienceMs: number;
  /** The Redis of the nodes, for its faults. Default: none. */
  readonly redis?: RedisProcess;
}

interface NodeFaultRun {
  readonly findings: Findings;
  readonly endings: Endings;
  /** Requests of which the database has refused a row. */
  readonly refusals: number;
  /** Requests without an end. */
  readonly unread: number;
  /** The faults in the rows of the database. */
  readonly inRows: readonly string[];
  readonly inAnswer: number;
  /** The promises of several nodes with their faults; see `countInvariants`. */
  readonly invariants: Readonly<Record<string, number | string>>;
  /** From the death of a turn's node to its next event or end, as clients saw it, in ascending order. */
  readonly deathGapsMs: readonly number[];
}

/** Three nodes under faults, and clients that go to any of them. */
export async function runNodeFaults({
  faults,
  streams,
  seed,
  patienceMs,
  redis,
}: NodeFaultOptions): Promise<NodeFaultRun> {
  const random = createSeededRandom(seed);
  const findings = createFindings();
  const database = await sharedServer();
  const databaseUrl = await emptyDatabase();
  await watchWrites(databaseUrl);
  await using shelf = await createRecordShelf();
  await using upstream = await createCountingUpstream({ delayMs: () => random.whole(20, 100) });
  await using stack = new AsyncDisposableStack();
  const open = async () => stack.use(await createFaultyProxy(databaseUrl));
  const proxies = [await open(), await open(), await open()];
  await using nodes = await startNodes({
    ...{ databaseUrl, upstreamUrl: upstream.baseUrl, count: 3 },
    databaseUrlOf: (place) => proxies[place]?.url ?? databaseUrl,
    variables: redis === undefined ? {} : { REDIS_URL: redis.url },
  });
  const crowd = createCrowd({
    ...{ streams, random, findings, life: () => 1, onRead: shelf.put },
    url: () => nodes.anyUrl(random),
    outlastingShare: 0.5,
    cancelShare: 0.1,
    // New requests are refused while the database is away for longer than 2 s.
    waitsForStorage: true,
  });
  const gaps = createDeathGaps(crowd, databaseUrl);
  const refused = new Set<string>();
  const place = {
    ...{ database, databaseUrl, redis, nodes, proxies, random },
    onKill: gaps.note,
    onRefused: (id: string) => void refused.add(id),
  };
  let inAnswer = 0;
  try {
    for (const fault of faults) {
      await sleep(random.between(500, 3_000));
      crowd.cut(0.3);
      inAnswer += crowd.inAnswer;
      await playFault(fault, place);
    }
    await Promise.race([crowd.finish(), sleep(patienceMs, undefined, { ref: false })]);
    const unread = crowd.unread.length;
    crowd.close();
    const records = [...shelf.records, ...crowd.unread];
    const endings = checkRequests(records, upstream, findings);
    checkRefused(records, refused, findings);
    for (const node of nodes.all) {
      await untilServing(node);
      await checkReplays(node.url ?? "", records, findings);
    }
    assert.deepEqual(await Promise.all(nodes.all.map((node) => node.stop())), [0, 0, 0]);
    const inRows = await rowFaults(databaseUrl);
    const writes = await wrongWrites(databaseUrl);
    for (const [what, count] of Object.entries(writes))
      if (count > 0) findings.note("wrong writes", what, count);
    const invariants = await countInvariants(databaseUrl, findings, inRows, writes);
    const { size: refusals } = refused;
    return {
      findings,
      endings,
      refusals,
      unread,
      inAnswer,
      inRows,
      invariants,
      deathGapsMs: await gaps.read(),
    };
  } finally {
    crowd.close();
  }
}
