import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "../../crash/counting-upstream.ts";
import { createCrowd } from "../../crash/crowd.ts";
import { createFindings, type Findings } from "../../crash/findings.ts";
import { createRecordShelf } from "../../crash/record-shelf.ts";
import { checkReplays } from "../../crash/replay-check.ts";
import { createSeededRandom, type SeededRandom } from "../../crash/seeded-random.ts";
import { checkRequests, type Endings } from "../../crash/verdict.ts";
import type { RedisProcess } from "../peers/redis-process.ts";
import { rowFaults } from "./check-rows.ts";
import { sharedServer } from "./open-store.ts";
import type { PostgresServer } from "./postgres-server.ts";
import { startNodes, type TestNodes } from "./start-nodes.ts";

export type RedisFault = "kill of Redis" | "freeze of Redis" | "flush of Redis";
export type NodeFault = "kill" | "stop" | "restart of the database" | RedisFault;

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
  /** Requests without an end. */
  readonly unread: number;
  /** The faults in the rows of the database. */
  readonly inRows: readonly string[];
  readonly inAnswer: number;
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
  const databaseUrl = await database.createDatabase();
  await using shelf = await createRecordShelf();
  await using upstream = await createCountingUpstream({ delayMs: () => random.whole(20, 100) });
  await using nodes = await startNodes({
    ...{ databaseUrl, upstreamUrl: upstream.baseUrl, count: 3 },
    variables: redis === undefined ? {} : { REDIS_URL: redis.url },
  });
  const crowd = createCrowd({
    ...{ streams, random, findings, life: () => 1, onRead: shelf.put },
    url: () => nodes.anyUrl(random),
    outlastingShare: 0.5,
    cancelShare: 0.1,
  });
  let inAnswer = 0;
  try {
    for (const fault of faults) {
      await sleep(random.between(500, 3_000));
      crowd.cut(0.3);
      inAnswer += crowd.inAnswer;
      await play(fault, { database, redis, nodes, random });
    }
    await Promise.race([crowd.finish(), sleep(patienceMs, undefined, { ref: false })]);
    const unread = crowd.unread.length;
    crowd.close();
    const records = [...shelf.records, ...crowd.unread];
    const endings = checkRequests(records, upstream, findings);
    for (const node of nodes.all) await checkReplays(node.url ?? "", records, findings);
    assert.deepEqual(await Promise.all(nodes.all.map((node) => node.stop())), [0, 0, 0]);
    return { findings, endings, unread, inAnswer, inRows: await rowFaults(databaseUrl) };
  } finally {
    crowd.close();
  }
}

interface FaultPlace {
  readonly database: PostgresServer;
  readonly redis: RedisProcess | undefined;
  readonly nodes: TestNodes;
  readonly random: SeededRandom;
}

/** Settles when the fault is over. */
async function play(fault: NodeFault, { database, redis, nodes, random }: FaultPlace): Promise<void> {
  switch (fault) {
    case "restart of the database":
      return database.restart("immediate");
    case "kill of Redis":
      await redis?.kill();
      await sleep(random.between(0, 2_000));
      return redis?.start();
    case "freeze of Redis":
      redis?.freeze();
      // Longer than the nodes need to find it.
      await sleep(5_000);
      return redis?.thaw();
    case "flush of Redis":
      return redis?.flush();
    case "stop": {
      const node = nodes.any(random);
      // Others take over a process that stands still, and it starts again once it goes on.
      nodes.signal(node, "SIGSTOP");
      await sleep(10_000);
      return nodes.signal(node, "SIGCONT");
    }
    case "kill": {
      const node = nodes.any(random);
      await node.kill();
      await sleep(random.between(0, 3_000));
      node.start();
      await node.listening();
    }
  }
}
