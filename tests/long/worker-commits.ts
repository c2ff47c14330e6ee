import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createDataFolder } from "../crash/data-folder.ts";
import { createServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { connect, type WireClient } from "../support/wire-client.ts";

/**
 * `COMMIT_STREAMS` is the number of answers that stream at the same time; `COMMIT_MS` is how long they are watched in
 * their middle.
 */
const streams = Number(process.env.COMMIT_STREAMS ?? 200);
const watchedMs = Number(process.env.COMMIT_MS ?? 5_000);
const piecesPerSecond = 10;
const streamsPerConnection = 10;
/** Milliseconds per jiffy of /proc; Linux has 100 jiffies a second. */
const msPerJiffy = 10;

interface Measured {
  readonly beats: number;
  readonly events: number;
  readonly seconds: number;
  /** Processor time of the first process, then of each worker. */
  readonly processorMs: readonly number[];
}

async function processorMs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * msPerJiffy;
}

/** Streams long answers through a server and counts the commits in their middle, when none starts or ends. */
async function measure(workers: number): Promise<Measured> {
  await using place = await createDataFolder();
  await using upstream = await createUpstreamDouble();
  const deltas = Array.from({ length: 3_000 }, (_, index) => `piece ${index}, `);
  const pause = [{ delayMs: 1_000 / piecesPerSecond }];
  upstream.respond(streamScript(answer({ deltas }), { betweenEvents: () => pause }));
  const environment = troupeEnvironment({ data: place.folder, upstreamUrl: upstream.baseUrl });
  const server = createServerProcess({ environment: { ...environment, TROUPE_WORKERS: String(workers) } });
  server.start();
  await server.listening();
  const clients: WireClient[] = [];
  try {
    while (workers > 1 && (await server.workers()).length < workers) await sleep(50);
    for (let count = 0; count < streams / streamsPerConnection; count += 1) {
      const client = await connect(server.url ?? "");
      clients.push(client);
      for (let index = 0; index < streamsPerConnection; index += 1) {
        const id = `stream-${count}-${index}`;
        client.send({ type: "openai_chat", id, data: { input_text: "Go on.", pacing: { mode: "raw" } } });
      }
    }
    const chunks = () => clients.reduce((sum, { received }) => sum + received.length, 0);
    const begun = () => upstream.requests.length === streams && chunks() > 5 * streams;
    while (!begun()) await sleep(100);
    const database = openBeside(place.database, { readOnly: true });
    const beat = () => Number(database.prepare("SELECT max(beat) AS beat FROM journal").get()?.beat);
    const pids = [server.pid, ...(workers > 1 ? await server.workers() : [])];
    const look = async () => ({
      beat: beat(),
      events: chunks(),
      cpu: await Promise.all(pids.map(processorMs)),
    });
    const before = await look();
    const startedAtMs = performance.now();
    await sleep(watchedMs);
    const after = await look();
    const seconds = (performance.now() - startedAtMs) / 1_000;
    database.close();
    return {
      beats: after.beat - before.beat,
      events: after.events - before.events,
      seconds,
      processorMs: after.cpu.map((ms, index) => ms - (before.cpu[index] ?? 0)),
    };
  } finally {
    for (const client of clients) client.terminate();
    await server.kill();
  }
}

it(`${streams} streams over 2 workers cost no more commits than over one process`, async () => {
  const alone = await measure(1);
  const shared = await measure(2);
  for (const [name, { beats, events, seconds, processorMs: ms }] of Object.entries({ alone, shared })) {
    const perSecond = (count: number) => (count / seconds).toFixed(1);
    console.log(
      `  ${name.padEnd(6)}  ${perSecond(beats)} commits/s  ${perSecond(events)} events/s  processor ms ${ms.join(" ")}`,
    );
  }
  assert.ok(shared.beats <= alone.beats * 1.5, `${shared.beats} commits instead of ${alone.beats}`);
});
