import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, textOf } from "../support/wire-client.ts";
import { reportFigures } from "./record/report.ts";
import { hasPython, type NarrowAnswer, startNarrowReaders } from "./sockets/narrow-readers.ts";
import { percentile } from "./sockets/percentiles.ts";
import { startServer } from "./sockets/start-server.ts";
import { questionOf, type WordPlan, wordsOf } from "./sockets/word-upstream.ts";

/**
 * `STALLED_READERS` changes the size of the run; `STALLED_PING_MS` sets how long half of the readers stay before they are
 * closed.
 */
const readers = Number(process.env.STALLED_READERS ?? 100);
const pingMs = Number(process.env.STALLED_PING_MS ?? 5_000);
const quickReaders = 20;

/** 60 KB of text, which the last message repeats. The system buffers at most about 80 KB for one of these sockets. */
const plan = { words: 600, wordChars: 100, wordsAtOnce: 30, intervalMs: 100 } satisfies Omit<
  WordPlan,
  "name"
>;

type System = Awaited<ReturnType<typeof startServer>>;

/** How long whole answers take for clients that read. */
async function timeQuickReaders(url: string, name: string): Promise<number[]> {
  return Promise.all(
    Array.from({ length: quickReaders }, async (_, number) => {
      const asked = { ...plan, name: `${name}${number}` };
      const client = await connect(url);
      const startedAtMs = performance.now();
      client.send({
        type: "openai_chat",
        id: asked.name,
        data: { input_text: questionOf(asked), pacing: { mode: "raw" } },
      });
      const messages = await client.untilTerminal(asked.name);
      const tookMs = performance.now() - startedAtMs;
      assert.equal(textOf(messages), wordsOf(asked).join(""));
      client.close();
      return tookMs;
    }),
  );
}

async function untilEnded({ httpUrl }: System, requestId: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${httpUrl}/api/requests/${requestId}`);
    const { state } = (await answer.json()) as { state?: string };
    if (state === "ended") return;
    await sleep(100);
  }
}

/** Lets readers ask, stop in the middle, and stay until every answer is over. */
async function stallAll(system: System) {
  const stack = new AsyncDisposableStack();
  const before = await system.server.rssBytes();
  const narrow = stack.use(startNarrowReaders({ port: new URL(system.url).port, count: readers, plan }));
  await narrow.stalled;
  for (let number = 0; number < readers; number += 1) await untilEnded(system, `n${number}`);
  return { narrow, rss: (await system.server.rssBytes()) - before, stop: () => stack.disposeAsync() };
}

/** The same answers for readers that never stop: the cost of the answers themselves. */
async function readAll(): Promise<number> {
  // The readers answer no pings, however long the run takes.
  await using system = await startServer({ TROUPE_PING_MS: "600000" });
  await timeQuickReaders(system.url, "warm");
  const before = await system.server.rssBytes();
  await using narrow = startNarrowReaders({ port: new URL(system.url).port, count: readers, plan });
  await narrow.stalled;
  narrow.goOn();
  narrow.goOn();
  assert.equal((await narrow.answers(readers)).length, readers);
  return (await system.server.rssBytes()) - before;
}

it(`${readers} readers that stop in the middle of their answers`, {
  skip: !hasPython && process.env.CI !== "true" && "no python3",
}, async () => {
  const readRss = await readAll();
  await using system = await startServer({ TROUPE_PING_MS: String(pingMs) });
  await timeQuickReaders(system.url, "warm");
  const aloneMs = await timeQuickReaders(system.url, "alone");
  const { narrow, rss, stop } = await stallAll(system);
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(stop);
  const besideMs = await timeQuickReaders(system.url, "beside");
  narrow.goOn();
  const first = [...(await narrow.answers(Math.ceil(readers / 2)))];
  while ((await system.connections()) > 0) await sleep(100);
  narrow.goOn();
  const all = await narrow.answers(readers);
  const second = all.slice(first.length);

  const wrong = all.map(judge);
  const sum = (figure: (judged: ReturnType<typeof judge>) => number) =>
    wrong.reduce((total, judged) => total + figure(judged), 0);
  const aloneMedianMs = percentile(aloneMs, 0.5);
  const besideMedianMs = percentile(besideMs, 0.5);
  reportFigures({
    program: "stalled-readers",
    settings: { STALLED_READERS: readers, STALLED_PING_MS: pingMs },
    figures: {
      readers,
      "memory for the same answers, all read": mebibytes(readRss),
      "memory for them, none read to its end": mebibytes(rss),
      "a stalled socket costs beside its answer": `${((rss - readRss) / readers / 1024).toFixed(1)} KiB`,
      "went on on the same socket": first.filter(({ cameBack }) => cameBack === 0).length,
      "were closed by the server and came back": second.filter(({ cameBack }) => cameBack > 0).length,
      "whole answers": all.length,
      lost: sum(({ lost }) => lost),
      doubled: sum(({ doubled }) => doubled),
      reordered: sum(({ reordered }) => reordered),
      "wrong texts or ends": sum(({ isWrong }) => Number(isWrong)),
      "others' answers, alone": `p50 ${aloneMedianMs.toFixed(0)} ms`,
      "others' answers, beside the stalled": `p50 ${besideMedianMs.toFixed(0)} ms`,
      "faults in the server's log": system.server.faults.length,
    },
  });
  assert.equal(all.length, readers);
  assert.equal(first.filter(({ cameBack }) => cameBack > 0).length, 0);
  // The system still delivers the part of the answer that it holds for a closed socket. For some readers this is all that
  // was missing.
  assert.ok(second.some(({ cameBack }) => cameBack > 0));
  assert.ok(second.every(({ cameBack }) => cameBack <= 1));
  assert.deepEqual(
    wrong.filter(({ lost, doubled, reordered, isWrong }) => lost + doubled + reordered > 0 || isWrong),
    [],
  );
  assert.ok(besideMedianMs <= 3 * aloneMedianMs, "who does not read slows nobody");
  assert.deepEqual(system.server.faults, []);
});

const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

function judge({ name, seqs, text, end }: NarrowAnswer) {
  const distinct = new Set(seqs);
  return {
    name,
    lost: Math.max(0, ...seqs) - distinct.size,
    doubled: seqs.length - distinct.size,
    reordered: seqs.filter((seq, index) => index > 0 && seq < (seqs[index - 1] ?? 0)).length,
    isWrong: end !== "completed" || text !== wordsOf({ ...plan, name }).join(""),
  };
}
