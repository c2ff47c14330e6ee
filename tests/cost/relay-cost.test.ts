import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "node:test";
import { setImmediate as nextImmediate } from "node:timers/promises";
import { WebSocket } from "ws";
import { tokenMark } from "../../bench/time-stamp.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { countWork, type Work } from "./count-work.ts";
import { startLockStepUpstream } from "./lock-step-upstream.ts";

const streams = 8;
const tokensOfStream = 80;
/** Tokens in one interval of the natural rhythm: 80 tokens a second on each stream. */
const tokensPerInterval = 8;
const intervalMs = 100;
const stepMs = 25;

/** Limits a little above the present counts. Lower a limit when its count falls; raise one only with a reason. */
const maxForToken: Work = {
  upstreamReads: 0.15,
  clientWrites: 0.15,
  commits: 0.02,
  journalRows: 0.02,
  parses: 0.01,
  // The test and its clock make some of these as well.
  promises: 3.5,
};

/** Connects clients that only count the tokens that they are shown. */
async function connectCounters(url: string, counted: { tokens: number }): Promise<WebSocket[]> {
  const mark = String.fromCharCode(tokenMark);
  return Promise.all(
    Array.from({ length: streams }, async () => {
      const socket = new WebSocket(url, { perMessageDeflate: false });
      socket.on("message", (data) => {
        counted.tokens += String(data).split(mark).length - 1;
      });
      await once(socket, "open");
      return socket;
    }),
  );
}

it("relaying a token costs no more than it did", async (test) => {
  const data = await mkdtemp(path.join(tmpdir(), "troupe-cost-"));
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => rm(data, { recursive: true }));
  const upstream = cleanUp.use(await startLockStepUpstream());
  const clock = createTestClock();
  const server = cleanUp.use(
    await startTroupe({
      clock,
      data,
      store: "sqlite",
      openaiApiKey: "test-key",
      openaiBaseUrl: `http://127.0.0.1:${upstream.port}/v1`,
    }),
  );
  const work = cleanUp.use(countWork({ server: Number(new URL(server.url).port), upstream: upstream.port }));
  /** Lets virtual time pass, but no faster than the database's thread, which works in real time. */
  async function pass(ms: number): Promise<void> {
    await clock.advance(ms);
    await work.settled();
  }
  async function passUntil(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await pass(stepMs);
      await nextImmediate();
    }
  }
  const shown = { tokens: 0 };
  const clients = await connectCounters(server.url, shown);
  cleanUp.defer(() => {
    for (const client of clients) client.terminate();
  });
  for (const client of clients)
    client.send(JSON.stringify({ type: "openai_chat", data: { input_text: "Go on." } }));
  await passUntil(() => upstream.streams === streams);
  // The start of an answer is expensive and happens only once, so it is not counted.
  await upstream.say();
  await passUntil(() => shown.tokens === streams);
  await pass(intervalMs);

  work.take();
  const before = shown.tokens;
  for (let token = 0; token < tokensOfStream; token += 1) {
    await upstream.say();
    await pass(intervalMs / tokensPerInterval);
  }
  await passUntil(() => shown.tokens === before + streams * tokensOfStream);
  const total = work.take();
  const tokens = shown.tokens - before;
  assert.equal(tokens, streams * tokensOfStream);
  for (const what of ["upstreamReads", "clientWrites", "commits", "journalRows"] as const)
    assert.ok(total[what] > 0, `${what} are not counted any more: they are made in another way`);
  for (const what of Object.keys(maxForToken) as (keyof Work)[]) {
    const most = maxForToken[what];
    const each = total[what] / tokens;
    test.diagnostic(`${what} ${each.toFixed(3)} a token, at most ${most}`);
    assert.ok(each <= most, `${what}: ${each.toFixed(3)} a token, at most ${most}`);
  }
});
