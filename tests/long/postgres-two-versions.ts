import assert from "node:assert/strict";
import path from "node:path";
import { after, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isObject } from "../../src/ports/json.ts";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { createCrowd } from "../crash/crowd.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createFindings } from "../crash/findings.ts";
import { createRecordShelf } from "../crash/record-shelf.ts";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { createServerProcess, type ServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import { checkRequests } from "../crash/verdict.ts";
import { sharedServer, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { report } from "./record/report.ts";

/** A checkout of the version before, with its packages. */
const { TROUPE_BEFORE: before } = process.env;
const changesInAll = Number(process.env.VERSION_CHANGES ?? 6);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);
const nodeCount = 3;

after(stopShared);

/** One of the nodes, which runs one version or the other. */
interface Place {
  readonly versions: readonly [before: ServerProcess, now: ServerProcess];
  running: 0 | 1;
  /** Clients are sent here. */
  serves: boolean;
}

/** Whether two messages differ only in fields that one of them has and the other has not. */
function agree(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, index) => agree(item, other[index]));
  if (!isObject(one) || !isObject(other)) return one === other;
  return Object.keys(one).every((key) => !Object.hasOwn(other, key) || agree(one[key], other[key]));
}

const skip = withPostgres.skip || (before === undefined && "TROUPE_BEFORE names no other checkout");

it(`two versions on one database under ${streams} streams, with ${changesInAll} changes from one to the other`, {
  skip,
}, async () => {
  const random = createSeededRandom(seed);
  const findings = createFindings();
  const databaseUrl = await (await sharedServer()).createDatabase();
  await using cleanUp = new AsyncDisposableStack();
  const shelf = cleanUp.use(await createRecordShelf());
  const upstream = cleanUp.use(await createCountingUpstream({ delayMs: () => random.whole(20, 100) }));

  async function createPlace(): Promise<Place> {
    const { folder: data } = cleanUp.use(await createDataFolder());
    const environment = {
      ...troupeEnvironment({ data, upstreamUrl: upstream.baseUrl }),
      ...{ TROUPE_DATABASE_URL: databaseUrl, TROUPE_RECONNECT_SPREAD_MS: "500", TROUPE_DRAIN_MS: "60000" },
    };
    const versions = [
      createServerProcess({ environment, program: path.resolve(before ?? "", "bin/troupe.js") }),
      createServerProcess({ environment }),
    ] as const;
    for (const version of versions) cleanUp.defer(() => version.kill());
    versions[0].start();
    await versions[0].listening();
    return { versions, running: 0, serves: true };
  }
  const places: Place[] = [];
  for (let count = 0; count < nodeCount; count += 1) places.push(await createPlace());

  /** Stops a node in order, and starts the other version in its place. */
  async function change(place: Place): Promise<void> {
    const { versions, running } = place;
    place.serves = false;
    assert.equal(await versions[running].stop(), 0, versions[running].faults.join("\n"));
    place.running = running === 0 ? 1 : 0;
    versions[place.running].start();
    await versions[place.running].listening();
    place.serves = true;
  }

  let extended = 0;
  const crowd = createCrowd({
    ...{ streams, random, findings, life: () => 1, onRead: shelf.put },
    url: () => {
      const [first, ...others] = places.filter(({ serves }) => serves);
      if (first === undefined) throw new Error("No node serves.");
      const { versions, running } = random.pick([first, ...others]);
      return versions[running].url ?? "";
    },
    isSame(one, other) {
      if (one === other) return true;
      extended += 1;
      return agree(JSON.parse(one), JSON.parse(other));
    },
    outlastingShare: 0.3,
    cancelShare: 0.1,
  });
  cleanUp.defer(() => crowd.close());
  let changed = 0;
  const changes = (async () => {
    for (; changed < changesInAll; changed += 1) {
      await sleep(1_500);
      const place = places[changed % nodeCount];
      if (place !== undefined) await change(place);
    }
  })();
  let cuts = 0;
  // Clients come back at any node, so they move between the versions.
  const isChanging = changes.then(() => false);
  while (await Promise.race([isChanging, sleep(300, true)])) cuts += crowd.cut(0.1);
  await Promise.race([crowd.finish(), sleep(60_000, undefined, { ref: false })]);
  const endings = checkRequests([...shelf.records, ...crowd.unread], upstream, findings);
  const faults = places.flatMap(({ versions }) => versions.flatMap((version) => version.faults));
  for (const fault of faults) findings.note("faults in the server's log", fault);
  report({
    program: "postgres-two-versions",
    settings: { VERSION_CHANGES: changesInAll, CRASH_STREAMS: streams, CRASH_SEED: seed },
    figures: {
      ...{ "changes of version": changed, cuts, connections: crowd.counts.connections },
      "requests that a stopping node refused": crowd.counts.sentAway,
      "repeated messages with a field that one version does not know": extended,
      ...endings,
    },
    findings,
  });
  assert.deepEqual([findings.total, crowd.unread.length], [0, 0]);
  assert.deepEqual([endings.interrupted, endings.restarts, endings.otherEnds], [0, 0, 0]);
});
