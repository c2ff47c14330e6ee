import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createCrowd } from "../crash/crowd.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createFindings } from "../crash/findings.ts";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { connect } from "../support/wire-client.ts";
import { startChild } from "./load/child-program.ts";
import type { NumberedUpstreamAnswers } from "./load/numbered-upstream-program.ts";
import type { ServerAnswers } from "./load/server-program.ts";
import { report } from "./record/report.ts";
import { createApiClient } from "./soak/api-client.ts";
import { createConversationReader } from "./soak/conversation-reader.ts";
import { createJudge } from "./soak/judge.ts";
import { comeToRest, type Rest } from "./soak/rest.ts";
import { growthPerHour, type Sample } from "./soak/trend.ts";

/** `SOAK_MINUTES` and `SOAK_STREAMS` change the size of the run; `SOAK_SEED` repeats its random choices. */
const minutes = Number(process.env.SOAK_MINUTES ?? 2);
const streams = Number(process.env.SOAK_STREAMS ?? 150);
const seed = Number(process.env.SOAK_SEED ?? 1);

/** Runs before the first measurement, which the server must return to. */
const warmUpMs = Math.max(30_000, minutes * 3_000);
const samples = 60;
const idlePages = 20;
const cancelShare = 0.05;
const cutsPerMinute = 0.05;
const tickMs = 500;
/** Milliseconds between two pieces of an upstream's answer: an answer of 30 to 69 pieces takes 2 to 14 s. */
const pieceDelaysMs = ["50", "200"];
/** How long a request can be resumed after its end. */
const logRetentionMs = 10_000;

/**
 * Allowed growth of each figure, as a share of its first value: code is compiled when it is first used, and caches fill.
 * Figures that depend on the load at one moment are left out (the peak size of a file, resident memory).
 */
const maxGrowth: Readonly<Record<string, number>> = {
  // At rest, one or two timers and signals come and go.
  ...{ timers: 2, signals: 1 },
  ...{ sockets: 0, openFiles: 0, listeners: 0, connections: 0, turns: 0, logs: 0, logBytes: 0 },
  // An empty database has a few dozen pages, some of which the search index keeps for a while. A run writes thousands.
  ...{ turnRows: 0, conversationRows: 0, messageRows: 0, usedBytes: 1 },
  ...{ emitters: 0.02, functions: 0.02, heapUsedBytes: 0.1 },
};
/** The first share of the samples, which is ignored because all first answers start together. */
const rampShare = 0.2;

const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

it(`${streams} streams for ${minutes} minutes, seed ${seed}: the server returns to its first state`, async () => {
  const random = createSeededRandom(seed);
  const findings = createFindings();
  const judge = createJudge(findings);
  const place = await createDataFolder();
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.use(place);
  const upstream = cleanUp.use(
    await startChild<NumberedUpstreamAnswers>("numbered-upstream-program.ts", {
      args: [String(seed), ...pieceDelaysMs],
    }),
  );
  const server = cleanUp.use(
    await startChild<ServerAnswers>("server-program.ts", {
      args: [await upstream.ask("baseUrl"), "sqlite", place.folder, String(logRetentionMs)],
      flags: ["--expose-gc"],
    }),
  );
  const url = await server.ask("url");
  const ask = createApiClient(url.replace(/^ws/, "http"));
  const reader = createConversationReader({ ask, random, findings });
  const heap: Sample[] = [];
  const threadsHeap: Sample[] = [];
  const rss: Sample[] = [];
  const counts = { connections: 0, cancels: 0, cuts: 0 };

  /** Runs a crowd for a time while pages idle and conversations are read, then ends it. */
  async function talk(name: string, forMs: number, everySampleMs: number): Promise<void> {
    const crowd = createCrowd({
      name,
      streams,
      random,
      findings,
      cancelShare,
      url: () => url,
      life: () => 1,
      onRead: judge.see,
      onLeft: reader.leave,
    });
    const pages = await Promise.all(Array.from({ length: idlePages }, () => connect(url)));
    const over = new AbortController();
    const reading = reader.read(over.signal);
    const startedAtMs = performance.now();
    let nextSampleMs = everySampleMs;
    for (let atMs = 0; atMs < forMs; atMs = performance.now() - startedAtMs) {
      await sleep(tickMs);
      counts.cuts += crowd.cut((cutsPerMinute * tickMs) / 60_000);
      if (atMs < nextSampleMs) continue;
      nextSampleMs += everySampleMs;
      const memory = await server.ask("memory");
      heap.push({ atMs, value: memory.heapUsedBytes });
      threadsHeap.push({ atMs, value: memory.threadsHeapBytes });
      rss.push({ atMs, value: memory.rssBytes });
    }
    await crowd.finish();
    over.abort();
    await reading;
    crowd.close();
    for (const page of pages) {
      assert.equal(page.received.length, 0);
      page.close();
      assert.equal((await page.closed).code, 1005);
    }
    counts.connections += crowd.counts.connections;
    counts.cancels += crowd.counts.cancels;
  }

  const rest = () => comeToRest({ server, upstream, url, reader, database: place.database });
  await talk("w", warmUpMs, Infinity);
  const before = await rest();
  await talk("", minutes * 60_000, (minutes * 60_000) / samples);
  const after = await rest();

  const traffic = await upstream.ask("traffic");
  const warnings = await server.ask("warnings");
  for (const call of traffic.repeatedCalls) findings.note("repeated provider calls", call);
  for (const fault of await server.ask("faults")) findings.note("faults in the server's log", fault);
  for (const warning of warnings.first)
    if (!/^(a persona of )?a request failed/.test(warning))
      findings.note("faults in the server's log", warning);
  const figures = {
    seed,
    minutes,
    "concurrent streams": streams,
    ...counts,
    ...judge.figures,
    ...reader.figures,
    "provider calls": traffic.calls,
    "heap, growth": growth(heap),
    "heap of the database's thread, growth": growth(threadsHeap),
    "resident memory, growth": growth(rss),
    ...describeRests(before, after),
  };
  report({
    program: "soak",
    settings: { SOAK_MINUTES: minutes, SOAK_STREAMS: streams, SOAK_SEED: seed },
    figures,
    findings,
  });
  assert.equal(findings.total, 0);
  assert.deepEqual(grown(before, after), []);
});

type Figures = Readonly<Record<string, number>>;
const flat = ({ resources, memory, database }: Rest): Figures => ({ ...resources, ...memory, ...database });

/** The figures that grew more than allowed. */
function grown(before: Rest, after: Rest): string[] {
  const [first, last] = [flat(before), flat(after)];
  return Object.entries(maxGrowth).flatMap(([name, most]) => {
    const [from = 0, to = 0] = [first[name], last[name]];
    return to > from * (1 + most) ? [`${name}: ${from}, then ${to}`] : [];
  });
}

/** Every figure of both measurements, next to one another. */
function describeRests(before: Rest, after: Rest): Record<string, string> {
  const last = flat(after);
  return Object.fromEntries(
    Object.entries(flat(before)).map(([name, value]) => {
      const show = name.endsWith("Bytes") ? mebibytes : String;
      const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
      return [`at rest: ${words}`, `${show(value)}, then ${show(last[name] ?? 0)}`];
    }),
  );
}

function growth(samples: readonly Sample[]): string {
  const steady = samples.slice(samples.length * rampShare);
  return `${mebibytes(growthPerHour(steady))} an hour over ${steady.length} samples`;
}
