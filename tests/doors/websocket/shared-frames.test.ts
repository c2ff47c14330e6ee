import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextImmediate } from "node:timers/promises";
import { MemoryTurnLog } from "../../../src/adapters/turn-log/memory-turn-log.ts";
import type { TurnEvent } from "../../../src/ports/turn-event.ts";
import { created } from "../../ports/turn-log-store-contract.ts";
import { startHeld } from "./held-server.ts";

/** A text that counts how often it is read. */
function countedText(text: string) {
  const counted = { reads: 0 };
  const event: TurnEvent = {
    type: "text",
    final: false,
    get text() {
      counted.reads += 1;
      return text;
    },
  };
  return { event, counted };
}

/** Connections that follow one turn, with the messages each was given to send. */
async function followers(count: number) {
  const { logs, connect } = await startHeld();
  const log = await created(logs, "ada", "shared");
  const join = async (afterSeq: number) => {
    const { connection, held } = connect();
    const data = { request_id: "shared", after_seq: afterSeq };
    void connection.receive(JSON.stringify({ type: "resume", data }));
    await nextImmediate();
    await held.take();
    return held;
  };
  const all = [];
  for (let opened = 0; opened < count; opened += 1) all.push(await join(log.headSeq));
  return { log, all, join };
}

/** How often a text is read when it is appended and encoded for `count` connections. */
async function readsFor(count: number): Promise<number> {
  const { log, all } = await followers(count);
  const { event, counted } = countedText("Hello.");
  await log.append([event]);
  await nextImmediate();
  for (const { writes } of all) assert.match(writes.at(-1)?.at(-1) ?? "", /"chunk":"Hello\."/);
  return counted.reads;
}

test("a chunk is encoded once for all followers of its turn", async () => {
  assert.equal(await readsFor(20), await readsFor(1));
});

test("its frame is not kept for later followers", async () => {
  const { log, join } = await followers(2);
  const { event, counted } = countedText("Hello.");
  await log.append([event]);
  await nextImmediate();
  const before = counted.reads;
  const late = await join(0);
  assert.match(late.writes.at(-1)?.at(-1) ?? "", /"chunk":"Hello\."/);
  assert.equal(counted.reads, before + 1);
});

test("every follower gets everything, even if it exceeds the shared part", async () => {
  const { log, all } = await followers(2);
  const long = Array.from({ length: 40 }, (_, index) => countedText(`${index}`.padEnd(100_000, ".")));
  await log.append(long.map(({ event }) => event));
  await nextImmediate();
  for (let taken = 0; taken < 50; taken += 1) for (const held of all) await held.take();
  for (const { writes } of all) assert.equal(writes.flat().length, 1 + long.length);
});

/** The pieces of each connection's last write. */
const lastOf = (all: readonly Awaited<ReturnType<typeof followers>>["all"][number][]) =>
  all.map(({ sent }) => sent.at(-1));

const end = (text: string): TurnEvent => ({
  type: "answer",
  status: "completed",
  answer: { kind: "responses", text, response: {}, finishReason: "stop", simulated: true },
});

test("a long answer is one piece of memory for all its followers, at any time", async () => {
  const { log, all, join } = await followers(20);
  await log.append([end("x".repeat(300_000))]);
  await nextImmediate();
  for (let later = 0; later < 5; later += 1) {
    await nextImmediate();
    all.push(await join(0));
  }
  const [first, ...others] = lastOf(all);
  assert.ok(first instanceof Uint8Array && first.length > 300_000);
  assert.ok(others.every((other) => other === first));
  assert.equal(JSON.parse(Buffer.from(first).toString()).data.output_text, "x".repeat(300_000));
});

test("and so is the stand-in for a trimmed log", async () => {
  const { log, join } = await followers(0);
  await log.append([{ type: "text", final: true, text: "y".repeat(300_000) }, end("short")]);
  assert.ok(log instanceof MemoryTurnLog);
  log.trim();
  const all = [await join(0), await join(0), await join(0)];
  const [first, ...others] = all.map(({ sent }) => sent.find((one) => one instanceof Uint8Array));
  assert.ok(first !== undefined && others.every((other) => other === first));
  assert.match(Buffer.from(first).toString(), /^\{"type":"reset"/);
});

test("a short message stays a text, and shares its write with others", async () => {
  const { log, all } = await followers(2);
  await log.append([{ type: "text", final: true, text: "z".repeat(4_096) }, end("z".repeat(4_096))]);
  await nextImmediate();
  for (const { sent } of all) assert.ok(sent.every((message) => typeof message === "string"));
});
