import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { makeFirstVersion } from "../adapters/sqlite/first-version.ts";
import { openBeside } from "../support/open-beside.ts";
import { connect, textOf } from "../support/wire-client.ts";
import type { Ask } from "./any-ask.ts";
import { type CountingUpstream, createCountingUpstream } from "./counting-upstream.ts";
import { createDataFolder } from "./data-folder.ts";
import { checkDisk } from "./disk-check.ts";
import { plainAsks } from "./every-commit.ts";
import type { FailPoint } from "./fail-points.ts";
import { createFindings, type Findings } from "./findings.ts";
import { checkReplays } from "./replay-check.ts";
import { createRequestRecord, type RequestRecord } from "./request-record.ts";
import { createReturningClient } from "./returning-client.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { messagesOf, seenVoices } from "./seen-texts.ts";
import { createServerProcess, type ServerProcess, troupeEnvironment } from "./server-process.ts";
import { checkRequests } from "./verdict.ts";

export type Kind = keyof typeof plainAsks;

/** Cuts every answer into at least six chunks, however fast its text comes, so that every point is passed. */
const manyChunks = { mode: "fixed", chunk_chars: 60, interval_ms: 50 } as const;

/** Time that a server has to reach a point that no request waits for. */
const patienceMs = 20_000;

interface Stage extends AsyncDisposable {
  readonly server: ServerProcess;
  readonly upstream: CountingUpstream;
  readonly database: string;
  readonly findings: Findings;
  http(route: string): string;
}

async function openStage(): Promise<Stage> {
  const upstream = await createCountingUpstream({ delayMs: () => 1 });
  const place = await createDataFolder();
  const server = createServerProcess({
    environment: troupeEnvironment({ data: place.folder, upstreamUrl: upstream.baseUrl }),
    preload: path.resolve(import.meta.dirname, "fail-point-preload.ts"),
  });
  return {
    server,
    upstream,
    database: place.database,
    findings: createFindings(),
    http: (route) => `${(server.url ?? "").replace("ws:", "http:").replace("/ws", "")}${route}`,
    async [Symbol.asyncDispose]() {
      await server.kill();
      await upstream[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

/** Starts the server so that it dies at the point. */
function startDying({ server }: Stage, point: FailPoint, variables: Record<string, string> = {}): void {
  server.start({ FAIL_AT: JSON.stringify(point), ...variables });
}

/** Settles when the server has died. Rejects if `otherwise` settles first, or if it takes too long. */
async function untilDead({ server }: Stage, otherwise?: Promise<unknown>): Promise<void> {
  let isDead = false;
  const died = server.ended().then(() => {
    isDead = true;
  });
  await Promise.race([died, otherwise ?? sleep(patienceMs, undefined, { ref: false })]);
  await Promise.race([died, sleep(2_000, undefined, { ref: false })]);
  assert.ok(isDead, "the server did not come to the point at which it dies");
}

/** Asks, and reconnects until the end has arrived. */
function ask({ server, findings }: Stage, asked: Ask) {
  const record = createRequestRecord(asked, findings);
  const random = createSeededRandom(1);
  const client = createReturningClient({
    url: () => server.url ?? "",
    random,
    findings,
    life: () => server.life,
  });
  return { record, read: client.read(record, true).finally(client.close) };
}

/** Checks that the frames seen, a replay, and the disk agree, and that no question was asked twice. */
async function judge(stage: Stage, record: RequestRecord): Promise<void> {
  const { server, upstream, database, findings } = stage;
  const { otherEnds } = checkRequests([record], upstream, findings);
  await checkReplays(server.url ?? "", [record], findings);
  assert.equal(await server.stop(), 0);
  for (const fault of server.faults) findings.note("faults in the server's log", fault);
  checkDisk(database, [record], findings);
  assert.deepEqual([findings.examples, findings.total, otherEnds], [[], 0, 0]);
}

/** Kills the server while it answers. */
export async function dieInRequest(kind: Kind, point: FailPoint): Promise<void> {
  await using stage = await openStage();
  const { server } = stage;
  startDying(stage, point);
  await server.listening();
  const { record, read } = ask(stage, plainAsks[kind]("once", manyChunks));
  await untilDead(stage, read);
  server.start();
  await server.listening();
  await read;
  await judge(stage, record);
}

/** Kills the server while it answers, and again while it recovers the turn. */
export async function dieInRecovery(kind: Kind, inRequest: FailPoint, inRecovery: FailPoint): Promise<void> {
  await using stage = await openStage();
  const { server } = stage;
  startDying(stage, inRequest);
  await server.listening();
  const { record, read } = ask(stage, plainAsks[kind]("left", manyChunks));
  await untilDead(stage, read);
  startDying(stage, inRecovery);
  await untilDead(stage, read);
  server.start();
  await server.listening();
  await read;
  await judge(stage, record);
}

/** Leaves a request that has ended, and a stopped server. */
async function answered(stage: Stage, kind: Kind): Promise<RequestRecord> {
  const { server } = stage;
  server.start();
  await server.listening();
  const { record, read } = ask(stage, plainAsks[kind]("kept", manyChunks));
  await read;
  assert.equal(messagesOf(record).at(-1)?.type, "response");
  assert.equal(await server.stop(), 0);
  return record;
}

/** The messages of a resume from the start. */
async function resumed({ server }: Stage, id: string): Promise<ServerMessage[]> {
  const client = await connect(server.url ?? "");
  client.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
  await client.next((message) => ["response", "error"].includes(message.type));
  client.terminate();
  return [...client.received];
}

/** Kills the server while it compacts a log. Afterwards the answer still exists, and asking again calls no provider. */
export async function dieInCompaction(kind: Kind, point: FailPoint): Promise<void> {
  await using stage = await openStage();
  const { server, upstream, database } = stage;
  const record = await answered(stage, kind);
  const { calls } = upstream;
  startDying(stage, point, { TROUPE_LOG_RETENTION_MS: "0" });
  await untilDead(stage);
  server.start({ TROUPE_LOG_RETENTION_MS: "0" });
  await server.listening();
  const seen = messagesOf(record);
  const [, reset, end, ...none] = await resumed(stage, "kept");
  assert.ok(reset?.type === "reset" && reset.through_seq === seen.length - 1);
  for (const { voice, text } of seenVoices(record.ask, seen)) {
    assert.equal(reset.lanes.find(({ persona_id = "" }) => persona_id === voice)?.text, text);
  }
  assert.deepEqual([end, none], [seen.at(-1), []]);
  const { read } = ask(stage, record.ask);
  await Promise.race([read, sleep(1_000, undefined, { ref: false })]);
  assert.equal(upstream.calls, calls);
  await server.stop();
  const row = one(database, "SELECT log, answer FROM turns");
  assert.equal(row?.log, null);
}

/** Kills the server while it forgets a turn. Afterwards the turn is forgotten, and its number is not used again. */
export async function dieInForgetting(kind: Kind, point: FailPoint): Promise<void> {
  await using stage = await openStage();
  const { server, database } = stage;
  const variables = { TROUPE_LOG_RETENTION_MS: "0", TROUPE_ANSWER_RETENTION_MS: "0" };
  await answered(stage, kind);
  startDying(stage, point, variables);
  await untilDead(stage);
  server.start();
  await server.listening();
  const { record, read } = ask(stage, plainAsks[kind]("other", manyChunks));
  await read;
  await server.stop();
  assert.equal(messagesOf(record).at(-1)?.type, "response");
  assert.equal(one(database, "SELECT number FROM turns WHERE id = 'other'")?.number, 2);
}

/** Kills the server while it erases a conversation. Afterwards no part of it is left in the file. */
export async function dieInErasing(kind: Exclude<Kind, "openai_chat">, point: FailPoint): Promise<void> {
  await using stage = await openStage();
  const { server, database, http } = stage;
  const record = await answered(stage, kind);
  const end = messagesOf(record).at(-1);
  assert.ok(end?.type === "response" && end.request_type !== "openai_chat");
  const route = `/api/conversations/${end.data.conversation_id}`;
  startDying(stage, point);
  await server.listening();
  const told = fetch(http(route), { method: "DELETE" }).then(
    ({ status }) => status,
    () => undefined,
  );
  await untilDead(stage);
  server.start();
  await server.listening();
  // A client that was not told about the erasing asks again.
  if ((await told) === undefined)
    assert.match(String((await fetch(http(route), { method: "DELETE" })).status), /^(204|404)$/);
  assert.equal((await fetch(http(route))).status, 404);
  while (one(database, "SELECT 1 FROM conversations WHERE owner IS NULL") !== undefined) await sleep(20);
  await server.stop();
  assert.equal(one(database, "SELECT 1 FROM messages"), undefined);
  assert.ok(!(await readFile(database, "latin1")).includes("kept/"));
}

/** Kills the server in a step of the schema's migration. Afterwards all data exists. Returns whether there is such a step. */
export async function dieInMigration(version: number, point: FailPoint): Promise<boolean> {
  await using stage = await openStage();
  const { server, database } = stage;
  if (version > 1) makeFirstVersion(database);
  startDying(stage, point);
  const listens = await server.listening().then(
    () => true,
    () => false,
  );
  if (listens) return false;
  const kept = one(database, "PRAGMA user_version")?.user_version;
  assert.equal(kept, point.when === "before" ? version - 1 : version);
  server.start();
  await server.listening();
  if (version > 1) {
    assert.equal(textOf(await resumed(stage, "ended")), "An old answer.");
    const running = await resumed(stage, "running");
    const end = running.at(-1);
    assert.ok(end?.type === "error" && end.code === "interrupted");
    assert.equal(textOf(running), "Half an ");
  }
  const { record, read } = ask(stage, plainAsks.chat("new", manyChunks));
  await read;
  assert.equal(messagesOf(record).at(-1)?.type, "response");
  assert.equal(await server.stop(), 0);
  return true;
}

function one(file: string, sql: string): Record<string, unknown> | undefined {
  const database = openBeside(file, { readOnly: true });
  try {
    return database.prepare(sql).get();
  } finally {
    database.close();
  }
}
