import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plainAsks } from "../crash/every-commit.ts";
import {
  compactionPoints,
  conversationPoints,
  conversationRecoveryPoints,
  erasingPoints,
  forgettingPoints,
  migrationPoint,
  recoveryPoints,
  requestPoints,
  responsesPoints,
} from "../crash/fail-points.ts";
import {
  dieInCompaction,
  dieInErasing,
  dieInForgetting,
  dieInMigration,
  dieInRecovery,
  dieInRequest,
  type Kind,
} from "../crash/run-fail-points.ts";

/**
 * Kills a real server (SIGKILL) at every named point, once for each kind of request. `FAIL_POINTS` is a part of the names
 * of the points to run, and `FAIL_POINT_KINDS` lists the kinds of requests, separated by commas.
 */
const chosen = process.env.FAIL_POINTS ?? "";
const kinds = process.env.FAIL_POINT_KINDS?.split(",") ?? Object.keys(plainAsks);
let deaths = 0;

function die(name: string, run: () => Promise<unknown>): void {
  if (!name.includes(chosen)) return;
  it(name, async () => {
    await run();
    deaths += 1;
  });
}

const inAText = requestPoints["after the commit of a text"];
const inTheHead = conversationPoints["before the commit of the head"];
assert.ok(inAText !== undefined && inTheHead !== undefined);

// The tests mostly wait for processes to start.
describe("a server that is killed", { concurrency: 3 }, () => {
  for (const kind of (Object.keys(plainAsks) as Kind[]).filter((name) => kinds.includes(name))) {
    const hasConversation = kind !== "openai_chat";
    const inRequest = { ...requestPoints, ...(hasConversation ? conversationPoints : responsesPoints) };
    for (const [name, point] of Object.entries(inRequest)) {
      // A request that asked for no streaming is sent no chunks.
      if (kind === "multi_chat_unstreamed" && point.containing === '"type":"chunk"') continue;
      die(`${kind}: ${name}`, () => dieInRequest(kind, point));
    }
    for (const [name, point] of Object.entries(recoveryPoints))
      die(`${kind}: ${name}`, () => dieInRecovery(kind, inAText, point));
    for (const [name, point] of Object.entries(compactionPoints))
      die(`${kind}: ${name}`, () => dieInCompaction(kind, point));
    for (const [name, point] of Object.entries(forgettingPoints))
      die(`${kind}: ${name}`, () => dieInForgetting(kind, point));
    if (kind === "openai_chat") continue;
    for (const [name, point] of Object.entries(erasingPoints))
      die(`${kind}: ${name}`, () => dieInErasing(kind, point));
  }

  for (const [name, point] of Object.entries(conversationRecoveryPoints)) {
    const isHead = point.statement === "SET head_id";
    die(`chat: ${name}`, () => dieInRecovery("chat", isHead ? inTheHead : inAText, point));
  }
});

it("in every step of the schema", async () => {
  let version = 1;
  for (; await dieInMigration(version, migrationPoint(version, "before")); version += 1) {
    assert.ok(await dieInMigration(version, migrationPoint(version, "after")));
    deaths += 2;
  }
  assert.ok(version > 2);
  console.log(`  ${deaths} deaths, ${version - 1} steps of the schema`);
});
