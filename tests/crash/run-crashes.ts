import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "./counting-upstream.ts";
import { createCrowd } from "./crowd.ts";
import { checkDisk } from "./disk-check.ts";
import { createFindings, type Findings } from "./findings.ts";
import { checkReplays } from "./replay-check.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { createServerProcess } from "./server-process.ts";
import { checkRequests } from "./verdict.ts";

export interface CrashRunOptions {
  readonly kills: number;
  readonly streams: number;
  readonly seed: number;
  /** Longest time that the server serves between its start and its end. */
  readonly mostServingMs: number;
}

export interface CrashRun {
  readonly figures: Readonly<Record<string, number | string>>;
  readonly findings: Findings;
}

/** Kills in the server's start, as a share of all. */
const killsInStart = 0.15;
/** How long the requests get to end when nobody kills any more. */
const patienceMs = 60_000;

/**
 * Kills a real server (SIGKILL) at random moments under clients that come back, starts it again on the same data, and at the
 * end holds against each other what was seen, what a replay gives, and what lies on the disk.
 */
export async function runCrashes(options: CrashRunOptions): Promise<CrashRun> {
  const { kills, streams, seed, mostServingMs } = options;
  const random = createSeededRandom(seed);
  const findings = createFindings();
  const data = await mkdtemp(path.join(tmpdir(), "troupe-crash-"));
  const file = path.join(data, "troupe.db");
  await using upstream = await createCountingUpstream(() => random.whole(5, 60));
  const server = createServerProcess({ data, upstreamUrl: upstream.baseUrl });
  server.start();
  const startsMs = [await server.listening()];
  const url = () => server.url ?? "";
  const crowd = createCrowd({ streams, random, findings, url, life: () => server.life });
  let inAnswer = 0;
  let inStart = 0;
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      const meanStartMs = startsMs.reduce((sum, ms) => sum + ms, 0) / startsMs.length;
      if (kill > 0 && random.chance(killsInStart)) {
        inStart += 1;
        await sleep(random.between(0, meanStartMs * 1.2));
      } else {
        if (kill > 0) startsMs.push(await server.listening());
        await sleep(random.between(0, mostServingMs));
      }
      inAnswer += crowd.inAnswer;
      await server.kill();
      server.start();
    }
    startsMs.push(await server.listening());
    await Promise.race([crowd.finish(), sleep(patienceMs, undefined, { ref: false })]);
    crowd.close();
    const endings = checkRequests(crowd.records, upstream, findings);
    await checkReplays(url(), crowd.records, findings);
    const code = await server.stop();
    if (code !== 0) findings.note("faults in the server's log", `status ${code} at the end`);
    for (const fault of server.faults) findings.note("faults in the server's log", fault);
    const disk = checkDisk(file, crowd.records, findings);
    const { counts } = crowd;
    const figures = {
      seed,
      kills,
      "of them in the start": inStart,
      "concurrent streams": streams,
      connections: counts.connections,
      "requests in the middle of their answer at a kill": inAnswer,
      "followings cut in the middle": counts.cutInAnswer,
      "of them in a replay": counts.cutInReplay,
      resumes: counts.resumes,
      "requests sent again": counts.repeatedAsks,
      ...endings,
      "provider calls": upstream.calls,
      ...disk,
      "database bytes": (await stat(file)).size,
      "start to listening, longest": `${Math.round(Math.max(...startsMs))} ms`,
    };
    return { figures, findings };
  } finally {
    crowd.close();
    await server.kill();
    await rm(data, { recursive: true });
  }
}
