import { it } from "node:test";
import {
  compactionPoints,
  conversationPoints,
  type FailPoint,
  migrationPoint,
  recoveryPoints,
  requestPoints,
} from "./fail-points.ts";
import { dieInCompaction, dieInMigration, dieInRecovery, dieInRequest } from "./run-fail-points.ts";

// The quick part of tests/long/fail-points.ts.
const points: Record<string, FailPoint | undefined> = {
  ...requestPoints,
  ...conversationPoints,
  ...recoveryPoints,
  ...compactionPoints,
};

function point(name: string): FailPoint {
  const found = points[name];
  if (found === undefined) throw new Error(`no such point: ${name}`);
  return found;
}

it("killed between the journal and the socket, a server keeps the messages it had not sent yet", async () => {
  await dieInRequest("chat", point("after the commit of a text"));
});

it("killed between the end's commit and the turn's row, a server has both afterwards", async () => {
  await dieInRequest("multi_chat_unstreamed", point("before the commit of its log"));
});

it("killed while it recovers from being killed, a server recovers the next time", async () => {
  await dieInRecovery(
    "chat",
    point("after the commit of a text"),
    point("after the commit of a left turn's end"),
  );
});

it("killed while it compacts a log, a server has its answer afterwards", async () => {
  await dieInCompaction("chat", point("before the commit of a compacted log"));
});

it("killed in the middle of a step of the schema, a server takes it the next time", async () => {
  await dieInMigration(2, migrationPoint(2, "before"));
});
