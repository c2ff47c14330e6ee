import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "../../crash/counting-upstream.ts";
import { createCrowd } from "../../crash/crowd.ts";
import { createFindings, type Findings } from "../../crash/findings.ts";
import { createRecordShelf } from "../../crash/record-shelf.ts";
import { checkReplays } from "../../crash/replay-check.ts";
import { createSeededRandom } from "../../crash/seeded-random.ts";
import { checkRequests, type Endings } from "../../crash/verdict.ts";
import { adminKey, bearer } from "../../support/key-system.ts";
import type { RedisProcess } from "../peers/redis-process.ts";
import { findBroken, wrongSumsAtLast } from "./broken-promises.ts";
import { rowFaults } from "./check-rows.ts";
import { createDeathGaps, type DeathGapLengths, lengthsOfGaps } from "./death-gaps.ts";
import type { FaultPlace } from "./fault-place.ts";
import { createFaultyProxy } from "./faulty-proxy.ts";
import { countInvariants } from "./invariants.ts";
import { longestOf, waitsAfterDeaths, waitsForClaims, waitsForEnds } from "./judge-nodes.ts";
import { startGuests } from "./keyed-guests.ts";
import { type NodeFault, playFault } from "./node-faults.ts";
import { emptyDatabase, runOn, sharedServer } from "./open-store.ts";
import { checkRefused } from "./refused-rows.ts";
import { startNodes, untilServing } from "./start-nodes.ts";
import { createTimeline, type PlayedFault, readHistory } from "./timeline.ts";
import type { UnsteadyRedis } from "./unsteady-redis.ts";
import { noteDeath, watchNodes } from "./watch-nodes.ts";
import { watchWrites, wrongWrites } from "./watch-writes.ts";

/** Faults that are played one after the other. */
export interface FaultTrack {
  readonly faults: readonly NodeFault[];
  /** The longest pause before a fault, milliseconds. Default: 3 s. */
  readonly pauseMs?: number;
}

interface NodeFaultOptions {
  /** Phases, one after the other; the tracks of a phase are played at the same time. */
  readonly plan: readonly (readonly FaultTrack[])[];
  readonly streams: number;
  readonly seed: number;
  /** How long clients wait for their ends after the last fault, milliseconds. */
  readonly patienceMs: number;
  /** The Redis of the nodes, for its faults. Default: none. */
  readonly redis?: RedisProcess;
  /** The way of the nodes to it. Default: none, they use it directly. */
  readonly messages?: UnsteadyRedis;
  /** The server, and a database with the tables on it. Default: a new one on that of all tests of the file. */
  readonly on?: FaultPlaceDatabase;
}

type FaultPlaceDatabase = Pick<FaultPlace, "database" | "databaseUrl">;

interface NodeFaultRun {
  readonly findings: Findings;
  readonly endings: Endings;
  /** Requests of the crowd of which the database has refused a row. */
  readonly refusals: number;
  /** Requests without an end. */
  readonly unread: number;
  /** The faults in the rows of the database. */
  readonly inRows: readonly string[];
  /** Connections of clients that were cut just before a fault. */
  readonly cuts: number;
  readonly inAnswer: number;
  /** Answers of commits that were lost with their connection. */
  readonly lostCommits: number;
  /** The promises of several nodes with their faults; see `countInvariants`. */
  readonly invariants: Readonly<Record<string, number>>;
  /** From the death of a turn's node to its next event or end, as clients saw it. */
  readonly deathGaps: DeathGapLengths;
  /** The figures of the requests that the later promises were judged by. */
  readonly judged: Readonly<Record<string, number | string>>;
}

/** The key of the crowd, so that its clients may follow each other's requests. */
const crowdKey = "crowd-0123456789abcdef";
/** Tokens that a budget reserves at a time, and the tokens a day of a key that guests spend. */
const reservation = 64;
const cap = 600;
/** A crash of the database may lose the last figures that nodes told of their slices, which they do not tell again. */
const crashes: readonly NodeFault[] = ["restart of the database", "kill of the database"];
const longestPauseMs = 3_000;
/** Requests of the crowd that a guest asks each node for. */
const mostPeeked = 20;

/** Waits until no turn runs any more: guests leave some of theirs before the end. */
async function untilIdle(databaseUrl: string, limitMs: number): Promise<void> {
  for (const untilMs = Date.now() + limitMs; Date.now() < untilMs; await sleep(100)) {
    const running = await runOn(databaseUrl, "SELECT 1 FROM turns WHERE node IS NOT NULL LIMIT 1");
    if (running.length === 0) return;
  }
}

/** Three nodes under faults, and clients that go to any of them. */
export async function runNodeFaults({
  plan,
  streams,
  seed,
  patienceMs,
  redis,
  messages,
  on,
}: NodeFaultOptions): Promise<NodeFaultRun> {
  const random = createSeededRandom(seed);
  const faults = plan.flat().flatMap((track) => track.faults);
  const findings = createFindings();
  const { database, databaseUrl } = on ?? {
    database: await sharedServer(),
    databaseUrl: await emptyDatabase(),
  };
  await watchWrites(databaseUrl);
  await watchNodes(databaseUrl);
  await using shelf = await createRecordShelf();
  await using upstream = await createCountingUpstream({ delayMs: () => random.whole(20, 100) });
  await using stack = new AsyncDisposableStack();
  const open = async () => stack.use(await createFaultyProxy(databaseUrl));
  const proxies = [await open(), await open(), await open()];
  await using nodes = await startNodes({
    ...{ databaseUrl, upstreamUrl: upstream.baseUrl, count: 3 },
    databaseUrlOf: (place) => proxies[place]?.url ?? databaseUrl,
    variables: {
      TROUPE_ADMIN_KEY: adminKey,
      TROUPE_API_KEYS: `crowd=${crowdKey}`,
      TROUPE_RESERVED_TOKENS: String(reservation),
      ...(redis === undefined ? {} : { REDIS_URL: messages?.url ?? redis.url }),
    },
  });
  const crowd = createCrowd({
    ...{ streams, random, findings, life: () => 1, onRead: shelf.put },
    url: () => nodes.anyUrl(random),
    ...bearer(crowdKey),
    outlastingShare: 0.5,
    cancelShare: 0.1,
    // New requests are refused while the database is away for longer than 2 s.
    waitsForStorage: true,
  });
  const gaps = createDeathGaps(crowd, databaseUrl);
  const guests = startGuests({
    ...{ random: createSeededRandom(seed + 1), upstream, cap },
    urls: () => nodes.all.map(({ url = "" }) => url),
  });
  const played: PlayedFault[] = [];
  const onKill = async (node: string) => {
    await noteDeath(databaseUrl, node);
    await gaps.note(node);
  };
  const refused = new Set<string>();
  const place = {
    ...{ database, databaseUrl, redis, messages, nodes, proxies, random, onKill },
    taken: new Set<object>(),
    onRefused: (id: string) => void refused.add(id),
  };
  let cuts = 0;
  let inAnswer = 0;
  async function playTrack({ faults, pauseMs = longestPauseMs }: FaultTrack): Promise<void> {
    for (const fault of faults) {
      await sleep(random.between(pauseMs / 6, pauseMs));
      cuts += crowd.cut(0.3);
      inAnswer += crowd.inAnswer;
      const beganMs = Date.now();
      await playFault(fault, place);
      played.push({ kind: fault, beganMs, endedMs: Date.now() });
    }
  }
  try {
    for (const tracks of plan) await Promise.all(tracks.map(playTrack));
    const guestsFinished = guests.finish();
    await Promise.race([
      Promise.all([crowd.finish(), guestsFinished]),
      sleep(patienceMs, undefined, { ref: false }),
    ]);
    guests.close();
    await guestsFinished;
    const guestResults = guests.results();
    const unread = crowd.unread.length;
    crowd.close();
    const records = [...shelf.records, ...crowd.unread];
    const endings = checkRequests(records, upstream, findings);
    checkRefused(records, refused, findings);
    const foreign: string[] = [];
    for (const node of nodes.all) {
      await untilServing(node, bearer(crowdKey));
      await checkReplays(node.url ?? "", records, findings, bearer(crowdKey));
      const newest = records.slice(-mostPeeked).map(({ ask: { id } }) => id);
      foreign.push(...(await guests.peek(node.url ?? "", newest)));
    }
    await untilIdle(databaseUrl, patienceMs);
    const sums = await wrongSumsAtLast(databaseUrl);
    assert.deepEqual(await Promise.all(nodes.all.map((node) => node.stop())), [0, 0, 0]);
    const inRows = await rowFaults(databaseUrl);
    const writes = await wrongWrites(databaseUrl);
    for (const [what, count] of Object.entries(writes))
      if (count > 0) findings.note("wrong writes", what, count);
    const gapsSeen = await gaps.read();
    const timeline = createTimeline(await readHistory(databaseUrl, played));
    const cancelled = records.flatMap(({ ask: { id }, cancelledAtMs: atMs }) =>
      atMs === undefined ? [] : [{ id, atMs }],
    );
    const cancels = [...cancelled, ...guestResults.cancels];
    const hasCrashed = faults.some((fault) => crashes.includes(fault));
    const broken = await findBroken({
      sums: hasCrashed ? [] : sums,
      ...{
        databaseUrl,
        timeline,
        cancels,
        gaps: gapsSeen,
        upstream,
        guests: guestResults,
        reservation,
        foreign,
      },
    });
    for (const [promise, faults] of Object.entries(broken))
      for (const fault of faults) findings.note("broken promises", `${promise}: ${fault}`);
    const invariants = await countInvariants(databaseUrl, findings, inRows, writes, broken);
    const deathGaps = lengthsOfGaps(waitsAfterDeaths(gapsSeen, timeline), timeline);
    const lostCommits = proxies.reduce((sum, proxy) => sum + proxy.lostCommits, 0);
    const { revoked, tickets, spentKeys } = guestResults;
    const judged = {
      "accepted cancels": cancels.length,
      "from a cancel to the end, longest": longestOf(waitsForEnds(cancels, timeline), timeline),
      "cancels at the provider": upstream.cancelled.length,
      "budgets spent to their end": spentKeys,
      "budgets that do not add up to the usage": sums.length,
      "keys revoked in an answer": revoked,
      "tickets at several nodes at once": tickets,
      "turns of dead nodes": waitsForClaims(timeline).length,
      "from the death to the claim or the end, longest": longestOf(waitsForClaims(timeline), timeline),
    };
    const refusals = records.filter(({ ask: { id } }) => refused.has(id)).length;
    const counted = { cuts, inAnswer, lostCommits, refusals, unread, inRows };
    return { findings, endings, ...counted, invariants, deathGaps, judged };
  } finally {
    guests.close();
    crowd.close();
  }
}
