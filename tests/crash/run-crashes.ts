import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "./counting-upstream.ts";
import { createCrowd } from "./crowd.ts";
import { createDataFolder } from "./data-folder.ts";
import { createFindings, type Findings } from "./findings.ts";
import { judgeRun } from "./judge-run.ts";
import { lookAtLeftBehind } from "./left-behind.ts";
import { createRecordShelf } from "./record-shelf.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { createServerProcess, troupeEnvironment } from "./server-process.ts";

export interface CrashRunOptions {
  readonly kills: number;
  readonly streams: number;
  readonly seed: number;
  /** Maximum time that the server serves between its start and its end. */
  readonly maxServingMs: number;
}

export interface CrashRun {
  readonly figures: Readonly<Record<string, number | string>>;
  readonly findings: Findings;
}

/** Share of the kills that happen during the server's start. */
const killsInStart = 0.15;
/** Time that the requests have to end once the kills are over. */
const patienceMs = 60_000;

/**
 * Kills a real server (SIGKILL) at random moments while clients use it, and starts it again on the same data; the clients
 * reconnect. At the end it compares the frames seen, a replay, and the content of the disk.
 */
export async function runCrashes(options: CrashRunOptions): Promise<CrashRun> {
  const { kills, streams, seed, maxServingMs } = options;
  const random = createSeededRandom(seed);
  const findings = createFindings();
  await using place = await createDataFolder();
  await using shelf = await createRecordShelf();
  const file = place.database;
  await using upstream = await createCountingUpstream({ delayMs: () => random.whole(5, 60) });
  const server = createServerProcess({
    environment: troupeEnvironment({ data: place.folder, upstreamUrl: upstream.baseUrl }),
  });
  server.start();
  const startsMs = [await server.listening()];
  const url = () => server.url ?? "";
  const crowd = createCrowd({
    ...{ streams, random, findings, url, life: () => server.life, onRead: shelf.put },
    outlastingShare: 0.5,
  });
  let inAnswer = 0;
  let inStart = 0;
  let leftRunning = 0;
  let maxWalBytes = 0;
  let newestTurn = 0;

  /** Kills the server. If it had started fully, checks that it had ended the turns left by the kill before. */
  async function kill(hasListened: boolean): Promise<void> {
    inAnswer += crowd.inAnswer;
    await server.kill();
    const left = await lookAtLeftBehind(file);
    const forgotten = left.running.filter((turn) => turn <= newestTurn);
    if (hasListened && forgotten.length > 0)
      findings.note("still running after a crash", `turns ${forgotten}`, forgotten.length);
    leftRunning += left.running.length;
    maxWalBytes = Math.max(maxWalBytes, left.walBytes);
    newestTurn = left.newest;
    server.start();
  }
  try {
    for (let count = 0; count < kills; count += 1) {
      const meanStartMs = startsMs.reduce((sum, ms) => sum + ms, 0) / startsMs.length;
      const isInStart = count > 0 && random.chance(killsInStart);
      if (isInStart) {
        inStart += 1;
        await sleep(random.between(0, meanStartMs));
      } else {
        if (count > 0) startsMs.push(await server.listening());
        await sleep(random.between(0, maxServingMs));
      }
      await kill(!isInStart);
    }
    startsMs.push(await server.listening());
    await Promise.race([crowd.finish(), sleep(patienceMs, undefined, { ref: false })]);
    crowd.close();
    const records = [...shelf.records, ...crowd.unread];
    const judged = await judgeRun({ records, upstream, server, file, findings });
    const { counts } = crowd;
    const figures = {
      seed,
      kills,
      "of them in the start": inStart,
      "concurrent streams": streams,
      connections: counts.connections,
      "requests in the middle of their answer at a kill": inAnswer,
      "requests left running by the kills": leftRunning,
      "followings cut in the middle": counts.cutInAnswer,
      "of them in a replay": counts.cutInReplay,
      resumes: counts.resumes,
      "requests sent again": counts.repeatedAsks,
      ...judged,
      "write-ahead log bytes, most": maxWalBytes,
      "database bytes": (await stat(file)).size,
      "start to listening, longest": `${Math.round(Math.max(...startsMs))} ms`,
    };
    return { figures, findings };
  } finally {
    crowd.close();
    await server.kill();
  }
}
