import assert from "node:assert/strict";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { answeredAnew } from "../../crash/any-ask.ts";
import { createCountingUpstream } from "../../crash/counting-upstream.ts";
import { plainAsks } from "../../crash/every-commit.ts";
import { createFindings } from "../../crash/findings.ts";
import { checkReplays } from "../../crash/replay-check.ts";
import { createRequestRecord } from "../../crash/request-record.ts";
import { createReturningClient } from "../../crash/returning-client.ts";
import { createSeededRandom } from "../../crash/seeded-random.ts";
import { messagesOf } from "../../crash/seen-texts.ts";
import type { ServerProcess } from "../../crash/server-process.ts";
import { checkRequests } from "../../crash/verdict.ts";
import { rowFaults } from "./check-rows.ts";
import type { NodePoint } from "./node-points.ts";
import { emptyDatabase, runOn } from "./open-store.ts";
import { startNodes } from "./start-nodes.ts";
import { watchWrites, wrongWrites } from "./watch-writes.ts";

export type PointKind = keyof typeof plainAsks;

/** Cuts every answer into many chunks, so that every point is passed. */
const manyChunks = { mode: "fixed", chunk_chars: 60, interval_ms: 50 } as const;
const patienceMs = 60_000;
const preload = path.resolve(import.meta.dirname, "node-point-preload.ts");

/** Slices that belong to no living node. */
const stranded = `SELECT count(*)::int AS count FROM purse_slices s
  WHERE NOT EXISTS (SELECT 1 FROM fences f WHERE f.incarnation = s.incarnation)`;

interface DyingRun {
  readonly kind: PointKind;
  /** Whether the request is answered again after a death, instead of interrupted. */
  readonly isAnew: boolean;
  readonly point: NodePoint;
  /** The node that dies at the point: the one that answers, or the one that takes over after that one was killed. */
  readonly dies: "owner" | "taker";
}

/** Two nodes, of which one dies at a point. Its place is taken again afterwards. Rejects if anything is wrong then. */
export async function dieAtPoint({ kind, isAnew, point, dies }: DyingRun): Promise<void> {
  const databaseUrl = await emptyDatabase();
  await watchWrites(databaseUrl);
  await using upstream = await createCountingUpstream({ delayMs: () => 1 });
  await using nodes = await startNodes({
    ...{ databaseUrl, upstreamUrl: upstream.baseUrl, count: 2, preload },
    variables: { TROUPE_SERVER_TOKENS_PER_DAY: "1000000", TROUPE_LAME_DUCK_MS: "0" },
    variablesOf: (place) => (place === (dies === "owner" ? 0 : 1) ? { FAIL_AT: JSON.stringify(point) } : {}),
  });
  const [owner, taker] = nodes.all;
  assert.ok(owner !== undefined && taker !== undefined);
  const findings = createFindings();
  const plain = plainAsks[kind]("once", manyChunks);
  const record = createRequestRecord(isAnew ? answeredAnew(plain) : plain, findings);
  let at: ServerProcess = owner;
  const client = createReturningClient({
    ...{
      url: () => at.url ?? "",
      random: createSeededRandom(1),
      findings,
      life: () => 1,
      waitsForStorage: true,
    },
  });
  const read = client.read(record, true).finally(client.close);
  const late = sleep(patienceMs, "late", { ref: false });

  async function untilDead(node: ServerProcess): Promise<void> {
    const ended = await Promise.race([node.ended(), late]);
    assert.notEqual(ended, "late", "the node did not come to the point at which it dies");
  }

  if (dies === "owner") {
    await untilDead(owner);
    at = taker;
  } else {
    while (
      messagesOf(record).filter(({ type }) => type !== "status").length < 2 &&
      record.terminalSeq === undefined
    )
      await sleep(5);
    await owner.kill();
    await untilDead(taker);
    owner.start();
    await owner.listening();
  }
  assert.notEqual(await Promise.race([read, late]), "late", "the request did not end");
  const [dead, living] = dies === "owner" ? [owner, taker] : [taker, owner];
  dead.start();
  await dead.listening();
  const endings = checkRequests([record], upstream, findings);
  for (const node of [living, dead]) await checkReplays(node.url ?? "", [record], findings);
  // The others take the slices of the dead back within seconds.
  while (point.statement === "takeSlices" && (await runOn(databaseUrl, stranded))[0]?.count !== 0)
    assert.notEqual(await Promise.race([sleep(50), late]), "late", "a slice of the dead stays");
  assert.deepEqual(await Promise.all(nodes.all.map((node) => node.stop())), [0, 0]);
  assert.deepEqual([findings.examples, endings.otherEnds, endings.restarts > 0 && !isAnew], [[], 0, false]);
  assert.deepEqual(await rowFaults(databaseUrl), []);
  assert.deepEqual(await wrongWrites(databaseUrl), { unfenced: 0, doubled: 0, foreign: 0, repeated: 0 });
}
