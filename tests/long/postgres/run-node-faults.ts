import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "../../crash/counting-upstream.ts";
import { createCrowd } from "../../crash/crowd.ts";
import { createFindings, type Findings } from "../../crash/findings.ts";
import { createRecordShelf } from "../../crash/record-shelf.ts";
import { checkReplays } from "../../crash/replay-check.ts";
import { createSeededRandom } from "../../crash/seeded-random.ts";
import { checkRequests, type Endings } from "../../crash/verdict.ts";
import { rowFaults } from "./check-rows.ts";
import { sharedServer } from "./open-store.ts";
import { startNodes } from "./start-nodes.ts";

export type NodeFault = "kill" | "stop" | "restart of the database";

interface NodeFaultOptions {
  readonly faults: readonly NodeFault[];
  readonly streams: number;
  readonly seed: number;
  /** How long clients wait for their ends after the last fault, milliseconds. */
  readonly patienceMs: number;
  /** The guard that is missing in the nodes; see `sabotage-preload.ts`. */
  readonly sabotage?: "no fence" | "no second try";
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

const preload = new URL("sabotage-preload.ts", import.meta.url).pathname;

/** Three nodes under faults, and clients that go to any of them. */
export async function runNodeFaults({
  faults,
  streams,
  seed,
  patienceMs,
  sabotage,
}: NodeFaultOptions): Promise<NodeFaultRun> {
  const random = createSeededRandom(seed);
  const findings = createFindings();
  const database = await sharedServer();
  const databaseUrl = await database.createDatabase();
  await using shelf = await createRecordShelf();
  await using upstream = await createCountingUpstream({ delayMs: () => random.whole(20, 100) });
  await using nodes = await startNodes({
    ...{ databaseUrl, upstreamUrl: upstream.baseUrl, count: 3 },
    ...(sabotage === undefined ? {} : { preload, variables: { SABOTAGE: sabotage } }),
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
      const node = nodes.any(random);
      inAnswer += crowd.inAnswer;
      if (fault === "restart of the database") await database.restart("immediate");
      else if (fault === "stop") {
        // Others take over a process that stands still, and it starts again once it goes on.
        nodes.signal(node, "SIGSTOP");
        await sleep(10_000);
        nodes.signal(node, "SIGCONT");
      } else {
        await node.kill();
        await sleep(random.between(0, 3_000));
        node.start();
        await node.listening();
      }
    }
    await Promise.race([crowd.finish(), sleep(patienceMs, undefined, { ref: false })]);
    const unread = crowd.unread.length;
    crowd.close();
    const records = [...shelf.records, ...crowd.unread];
    const endings = checkRequests(records, upstream, findings);
    const run = { findings, endings, unread, inAnswer };
    // Nodes without a guard may not be able to stop.
    if (sabotage !== undefined) return { ...run, inRows: [] };
    for (const node of nodes.all) await checkReplays(node.url ?? "", records, findings);
    assert.deepEqual(await Promise.all(nodes.all.map((node) => node.stop())), [0, 0, 0]);
    return { ...run, inRows: await rowFaults(databaseUrl) };
  } finally {
    crowd.close();
  }
}
