import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { retryAfterMsIn } from "../../src/protocol/closes.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { connect, isTerminal, textOf } from "../support/wire-client.ts";
import { reportFigures } from "./record/report.ts";
import { startServer } from "./sockets/start-server.ts";
import { questionOf, type WordPlan, wordsOf } from "./sockets/word-upstream.ts";

/** `DRAIN_SOCKETS` changes the size of the run. */
const sockets = Number(process.env.DRAIN_SOCKETS ?? 100);
const spreadMs = 5_000;
const columnMs = 500;

/**
 * Of three sockets, one has a turn that ends while the server waits, one has a turn that is cut when the time is over,
 * and one has no turn.
 */
const planOf = (number: number): WordPlan | undefined => {
  if (number % 3 === 2) return undefined;
  return { name: `d${number}`, words: number % 3 === 0 ? 60 : 2_000, intervalMs: 40 };
};

it(`${sockets} sockets when the server is asked to stop: nothing is lost, and they return one by one`, async () => {
  await using system = await startServer({
    TROUPE_DRAIN_MS: "8000",
    TROUPE_RECONNECT_SPREAD_MS: String(spreadMs),
  });
  const clients = await Promise.all(
    Array.from({ length: sockets }, async (_, number) => {
      const client = await connect(system.url);
      const plan = planOf(number);
      if (plan === undefined) return { client, plan };
      client.send({
        type: "openai_chat",
        id: plan.name,
        data: { input_text: questionOf(plan), pacing: { mode: "raw" } },
      });
      await client.next((message) => message.type === "chunk");
      return { client, plan };
    }),
  );
  const stopped = system.server.stop();
  await sleep(200);
  // A stopping process accepts no new connection.
  await assert.rejects(connect(system.url));
  const closes = await Promise.all(clients.map(({ client }) => client.closed));
  const exitCode = await stopped;
  system.server.start();
  await system.server.listening();

  const columns = Array<number>(spreadMs / columnMs).fill(0);
  const wrong: string[] = [];
  const ends = new Map<string, number>();
  let resumed = 0;
  await Promise.all(
    clients.map(async ({ client, plan }, number) => {
      const { code, reason } = closes[number] ?? { code: 0, reason: "" };
      const waitMs = retryAfterMsIn(reason);
      if (code !== 1012 || waitMs === undefined || waitMs >= spreadMs) {
        wrong.push(`closed with ${code} ${reason}`);
        return;
      }
      columns[Math.floor(waitMs / columnMs)] = (columns[Math.floor(waitMs / columnMs)] ?? 0) + 1;
      if (plan === undefined) return;
      const seen: ServerMessage[] = client.received.filter((message) => "seq" in message);
      if (!seen.some(isTerminal)) {
        resumed += 1;
        await sleep(waitMs);
        const again = await connect(system.url);
        again.send({ type: "resume", data: { request_id: plan.name, after_seq: seen.length } });
        seen.push(...(await again.untilTerminal(plan.name)).filter((message) => "seq" in message));
        again.close();
      }
      const end = seen.at(-1);
      const word = end?.type === "error" ? end.code : end?.type === "response" ? end.status : "nothing";
      ends.set(word, (ends.get(word) ?? 0) + 1);
      if (!seen.every((message, index) => "seq" in message && message.seq === index + 1)) {
        wrong.push(`${plan.name}: lost or doubled`);
      }
      const full = wordsOf(plan).join("");
      const text = textOf(seen);
      const isWhole = word === "completed" ? text === full : word === "interrupted" && full.startsWith(text);
      if (!isWhole) wrong.push(`${plan.name}: ${word} with ${text.length} of ${full.length} characters`);
    }),
  );
  reportFigures({
    program: "drain",
    settings: { DRAIN_SOCKETS: sockets },
    figures: {
      sockets,
      "with a request under way": clients.filter(({ plan }) => plan !== undefined).length,
      ...Object.fromEntries([...ends].sort().map(([end, count]) => [`ended as ${end}`, count])),
      "had to come back for their end": resumed,
      "lost, doubled or wrong": wrong.length,
      "exit code": String(exitCode),
      ...Object.fromEntries(
        columns.map((count, index) => [
          `told to come back after ${index * columnMs} to ${(index + 1) * columnMs} ms`,
          `${String(count).padStart(3)} ${"#".repeat(count)}`,
        ]),
      ),
    },
  });
  assert.deepEqual(wrong.slice(0, 10), []);
  assert.equal(exitCode, 0);
  assert.equal(resumed, 0);
  // If the times are drawn evenly, no column comes near six standard deviations above its share.
  const share = sockets / columns.length;
  assert.ok(Math.max(...columns) <= share + 6 * Math.sqrt(share), "they come back spread over the time");
  assert.deepEqual(system.server.faults, []);
});
