import assert from "node:assert/strict";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { isTerminal } from "../support/wire-client.ts";
import type { Ask } from "./any-ask.ts";
import { type CountingUpstream, createCountingUpstream } from "./counting-upstream.ts";
import { createDataFolder } from "./data-folder.ts";
import { checkDisk } from "./disk-check.ts";
import { createFindings, type Findings } from "./findings.ts";
import { keptBefore } from "./kept-before.ts";
import { createMortalThreads, type FailPoint } from "./mortal-threads.ts";
import { namelessVoice, questionOf } from "./numbered-answer.ts";
import { createRequestRecord, isNumbered, type RequestRecord } from "./request-record.ts";
import { checkRequests } from "./verdict.ts";

type Pacing = NonNullable<Ask["frame"]["data"]["pacing"]>;

/** Few chunks, because every chunk is a commit. */
const fewChunks: Pacing = { mode: "fixed", chunk_chars: 400, interval_ms: 100 };

/** Requests of every kind. */
export const plainAsks = {
  openai_chat: (id, pacing = fewChunks) => ({
    id,
    frame: { type: "openai_chat", id, data: { input_text: questionOf(id), pacing } },
    voices: [namelessVoice],
    streams: true,
  }),
  chat: (id, pacing = fewChunks) => ({
    id,
    frame: { type: "chat", id, data: { message: questionOf(id), persona_id: "skeptic", pacing } },
    voices: ["skeptic"],
    streams: true,
  }),
  multi_chat_unstreamed: (id, pacing = fewChunks) => {
    const persona_ids = ["teacher", "skeptic"];
    const data = { message: questionOf(id), persona_ids, stream: false, pacing };
    return { id, frame: { type: "multi_chat", id, data }, voices: persona_ids, streams: false };
  },
} satisfies Record<string, (id: string, pacing?: Pacing) => Ask>;

function optionsFor(data: string, upstream: CountingUpstream): TroupeOptions {
  const clock = createTestClock({ instantMs: 1_000 });
  return { store: "sqlite", data, clock, openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl };
}

/** Asks on a new server and reads to the end, which may be an error. */
async function askOnce(options: TroupeOptions, ask: Ask): Promise<ServerMessage[]> {
  await using server = await startTroupe(options);
  const client = await server.connect();
  client.send(ask.frame);
  await client.next((message) => isTerminal(message) || message.type === "error");
  return [...client.received];
}

/** The second answer must repeat the first one as far as that got. */
function join(
  ask: Ask,
  before: readonly ServerMessage[],
  after: readonly ServerMessage[],
  findings: Findings,
): RequestRecord {
  const record = createRequestRecord(ask, findings);
  for (const message of [...keptBefore(before), ...after])
    if (isNumbered(message)) record.keep(message, JSON.stringify(message), 1);
  assert.deepEqual(
    after.map((message) => isNumbered(message) && message.seq),
    after.map((_, index) => index + 1),
  );
  return record;
}

/** The commits at which the state of a request changes. */
export const failPoints = {
  "its conversation": { statement: "createConversation", nth: 1 },
  "its row": { statement: "beginTurn", nth: 1 },
  "the question": { statement: "insertMessage", nth: 1 },
  "its first events": { statement: "journal", nth: 1 },
  "a text": { statement: "journal", nth: 4 },
  "the answers": { statement: "insertMessage", nth: 2 },
  "the head": { statement: "moveHead", nth: 1 },
  "its end": { statement: "journal", nth: 1, containing: '"type":"answer","status"' },
  "its log": { statement: "endTurn", nth: 1 },
} satisfies Record<string, FailPoint>;

/**
 * Asks while the store dies in place of one commit. Then asks again on a new server, and compares both answers with the
 * disk. Rejects if anything was lost, doubled, asked twice or left without an end, or if the disk differs from the frames
 * seen. Returns whether the store died at all.
 */
export async function dieAt(kind: keyof typeof plainAsks, point: FailPoint): Promise<boolean> {
  await using upstream = await createCountingUpstream({ delayMs: () => 0 });
  using threads = createMortalThreads();
  await using place = await createDataFolder();
  const options = optionsFor(place.folder, upstream);
  const ask = plainAsks[kind]("once");
  threads.dieAt(point);
  const before = await askOnce(options, ask);
  const { died } = threads;
  threads.dieAt(undefined);
  await askAgain(place.database, options, ask, before, upstream);
  return died;
}

/** Calls `dieAt` for every commit of a request; returns their number. */
export async function dieAtEveryCommit(kind: keyof typeof plainAsks): Promise<number> {
  let deaths = 0;
  while (await dieAt(kind, { nth: deaths + 1 })) deaths += 1;
  return deaths;
}

/**
 * Kills the server during a request, and then during several starts that try to recover it. After that it checks as
 * `dieAt` does. Returns how many starts died.
 */
export async function dieInRecoveries(kind: keyof typeof plainAsks, starts: number): Promise<number> {
  await using upstream = await createCountingUpstream({ delayMs: () => 0 });
  using threads = createMortalThreads();
  await using place = await createDataFolder();
  const options = optionsFor(place.folder, upstream);
  const ask = plainAsks[kind]("again");
  threads.dieAt(failPoints["a text"]);
  const before = await askOnce(options, ask);
  assert.ok(threads.died);
  let deaths = 0;
  for (let start = 0; start < starts; start += 1) {
    // Most starts achieve nothing; now and then one gets a commit further.
    threads.dieAt({ nth: start % 11 === 10 ? 2 : 1 });
    // A server whose store dies during the start fails to start, or has nothing left to do.
    const server = await startTroupe(options).catch(() => undefined);
    await server?.[Symbol.asyncDispose]();
    if (threads.died) deaths += 1;
  }
  threads.dieAt(undefined);
  assert.ok(await askAgain(place.database, options, ask, before, upstream));
  return deaths;
}

/** Asks on a new server and judges the answer. Returns whether the request was interrupted. */
async function askAgain(
  database: string,
  options: TroupeOptions,
  ask: Ask,
  before: readonly ServerMessage[],
  upstream: CountingUpstream,
): Promise<boolean> {
  const after = await askOnce(options, ask);
  const findings = createFindings();
  const record = join(ask, before, after, findings);
  const { interrupted, otherEnds } = checkRequests([record], upstream, findings);
  checkDisk(database, [record], findings);
  assert.deepEqual([findings.examples, otherEnds], [[], 0]);
  return interrupted > 0;
}
