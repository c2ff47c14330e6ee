import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "./counting-upstream.ts";
import { createCrowd } from "./crowd.ts";
import { createDataFolder } from "./data-folder.ts";
import { createFindings } from "./findings.ts";
import { judgeRun } from "./judge-run.ts";
import { createRecordShelf } from "./record-shelf.ts";
import type { CrashRun, CrashRunOptions } from "./run-crashes.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { createServerProcess, troupeEnvironment } from "./server-process.ts";

export interface WorkerCrashOptions extends CrashRunOptions {
  readonly workers: number;
}

/** Time that the requests have to end once the kills are over. */
const patienceMs = 60_000;
/** Time after the last kill within which the requests of the dead worker must end. */
const endsWithinMs = 5_000;
/** The one line of the log that a kill is meant to cause. */
const expectedFault = '"msg":"a worker ended; another takes its place"';

/**
 * Kills workers of a real server (SIGKILL) at random moments while clients use it, and judges the results. The clients
 * reconnect.
 */
export async function runWorkerCrashes(options: WorkerCrashOptions): Promise<CrashRun> {
  const { kills, streams, seed, maxServingMs, workers } = options;
  const random = createSeededRandom(seed);
  const findings = createFindings();
  await using place = await createDataFolder();
  await using shelf = await createRecordShelf();
  await using upstream = await createCountingUpstream({ delayMs: () => random.whole(5, 60) });
  const environment = troupeEnvironment({ data: place.folder, upstreamUrl: upstream.baseUrl });
  const server = createServerProcess({ environment: { ...environment, TROUPE_WORKERS: String(workers) } });
  server.start();
  await server.listening();
  const url = () => server.url ?? "";
  const crowd = createCrowd({
    ...{ streams, random, findings, url, life: () => server.life, onRead: shelf.put },
    outlastingShare: 0.5,
  });
  let inAnswer = 0;

  /**
   * Checks that each request either goes on in another worker, which sends a message from time to time, or has ended with
   * its worker.
   */
  async function watchUnread(): Promise<void> {
    const left = crowd.unread.filter(({ frames }) => frames.length > 0);
    await sleep(endsWithinMs);
    const before = left.map(({ frames }) => frames.length);
    await sleep(endsWithinMs);
    for (const [index, { ask, frames, terminalSeq }] of left.entries()) {
      if (terminalSeq === undefined && frames.length === before[index])
        findings.note("still running after a crash", ask.id);
    }
  }

  async function killOne(): Promise<void> {
    const [first, ...others] = await server.workers();
    if (first === undefined) return;
    inAnswer += crowd.inAnswer;
    process.kill(random.pick([first, ...others]), "SIGKILL");
  }

  try {
    for (let count = 0; count < kills; count += 1) {
      await sleep(random.between(0, maxServingMs));
      await killOne();
    }
    // Starts after the last kill: before it, kills may follow one another faster than a new worker can end the requests
    // they leave.
    const watched = watchUnread();
    await Promise.race([crowd.finish(), sleep(patienceMs, undefined, { ref: false })]);
    await watched;
    crowd.close();
    const judged = await judgeRun({
      records: [...shelf.records, ...crowd.unread],
      upstream,
      server,
      file: place.database,
      findings,
      isExpected: (fault) => fault.includes(expectedFault),
    });
    const { counts } = crowd;
    const figures = {
      seed,
      workers,
      "workers killed": kills,
      "concurrent streams": streams,
      connections: counts.connections,
      "requests in the middle of their answer at a kill": inAnswer,
      "followings cut in the middle": counts.cutInAnswer,
      resumes: counts.resumes,
      "requests sent again": counts.repeatedAsks,
      ...judged,
    };
    return { figures, findings };
  } finally {
    crowd.close();
    await server.kill();
  }
}
