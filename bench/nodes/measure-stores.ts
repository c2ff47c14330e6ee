import { setTimeout as sleep } from "node:timers/promises";
import type { Spread } from "../histogram.ts";
import { cpuMsOf } from "../machine/process-tree.ts";
import { addStreams } from "../measures/streams.ts";
import { type WindowFigures, watchWindow } from "../measures/window.ts";
import type { Plan } from "../plan.ts";
import type { Rig, RunningSide } from "../rig.ts";
import { orderOfRound } from "../rounds/round-order.ts";
import { startWarm } from "../rounds/warm-side.ts";
import { commitsBetween, readCommits } from "./commit-times.ts";
import type { StoreSide } from "./store-sides.ts";

/** The figures of one store at one number of streams, in one round. */
export interface StoreFigures {
  readonly store: string;
  readonly streams: number;
  readonly round: number;
  readonly window: WindowFigures;
  readonly databaseUsPerToken: number;
  /** Part of one core that the database used. */
  readonly databaseShare: number;
  readonly commits: Spread;
  /** Of new streams beside the others. */
  readonly firstChunk: Spread;
}

const flow = { tokensPerSecond: 25, eventsPerPacket: 1 };
const newStreamsPerSecond = 50;

/**
 * Measures the stores in rounds, as the other benchmarks do. Within a round they take turns at each number of streams, so a
 * slow minute of the machine slows all of them.
 */
export async function measureStores(
  rig: Rig,
  stores: readonly StoreSide[],
  levels: readonly number[],
  plan: Plan,
): Promise<StoreFigures[]> {
  const measured: StoreFigures[] = [];
  for (let round = 0; round < plan.rounds; round += 1) {
    const startedAt = performance.now();
    await using processes = new AsyncDisposableStack();
    const turns: { store: StoreSide; running: RunningSide }[] = [];
    for (const store of orderOfRound(stores, round)) {
      const { plain } = processes.use(await startWarm(rig, store.side, plan));
      turns.push({ store, running: plain });
    }
    for (const streams of levels)
      for (const { store, running } of turns)
        measured.push({ round, ...(await measure(rig, store, running, streams, plan)) });
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
    console.log(`round ${round + 1} of ${plan.rounds}: ${seconds} s`);
  }
  return measured;
}

async function measure(
  rig: Rig,
  store: StoreSide,
  running: RunningSide,
  streams: number,
  { settleMs, windowMs }: Plan,
): Promise<Omit<StoreFigures, "round">> {
  const databaseMs = () => (store.databasePid === undefined ? 0 : cpuMsOf(store.databasePid));
  await rig.upstream.ask("flow", flow);
  await addStreams(rig, running, streams);
  await sleep(settleMs);
  const commitsBefore = await readCommits(store.metricsPort);
  const [beforeMs, startedAt] = [databaseMs(), performance.now()];
  const window = await watchWindow(rig, running, windowMs);
  const [usedMs, passedMs] = [databaseMs() - beforeMs, performance.now() - startedAt];
  const more = Math.round((newStreamsPerSecond * windowMs) / 1_000);
  await rig.client.ask("connect", running.target, more);
  const { firstChunk } = await watchWindow(rig, running, windowMs, () =>
    rig.client.ask("ask", more, windowMs),
  );
  const commits = commitsBetween(commitsBefore, await readCommits(store.metricsPort));
  await rig.client.ask("closeAll");
  const databaseShare = usedMs / passedMs;
  const { othersShare } = window.trust;
  return {
    ...{ store: store.name, streams, databaseShare, commits, firstChunk },
    // The database runs on the server's core, and is no stranger there.
    window: { ...window, trust: { ...window.trust, othersShare: Math.max(0, othersShare - databaseShare) } },
    databaseUsPerToken: (databaseShare * 1_000_000) / window.tokensPerSecond,
  };
}
