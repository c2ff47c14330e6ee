import assert from "node:assert/strict";
import { it } from "node:test";
import type { TurnEvent } from "../../../src/ports/turn-event.ts";
import { followed, terminal, textOf } from "../../ports/log-reading.ts";
import { created, recordOf } from "../../ports/turn-log-store-contract.ts";
import { openLogs } from "./open-store.ts";

it("ended turns take little memory, and each is read whole all the same", async () => {
  const maxBytes = 800_000;
  await using opened = await openLogs({ maxBytes });
  const { logs } = opened;
  const ids = Array.from({ length: 60 }, (_, index) => `turn-${index}`);
  for (const id of ids) {
    const log = await created(logs, "owner", id);
    await log.append([textOf(id.repeat(200)), terminal]);
    assert.ok(logs.bytes <= maxBytes / 8, `${logs.bytes} bytes`);
  }
  assert.ok(logs.count > 1 && logs.count < ids.length, `${logs.count} logs`);
  for (const id of ids) {
    const kept = await logs.find("owner", id);
    assert.ok(kept !== undefined);
    const follower = followed(kept.log, 0);
    await follower.ended;
    assert.equal(follower.read(), `1:${id.repeat(200)} 2:answer`);
  }
});

it("running turns are not counted among them", async () => {
  await using opened = await openLogs({ maxBytes: 80_000 });
  const { logs } = opened;
  const running = await created(logs, "owner", "running");
  await running.append([textOf("x".repeat(20_000))]);
  const before = logs.bytes;
  const log = await created(logs, "owner", "short");
  await log.append([textOf("y"), terminal]);
  assert.equal(logs.count, 2);
  assert.ok(logs.bytes > before);
});

it("all followers of an ended turn read one log, each from its own place", async () => {
  await using opened = await openLogs({ maxBytes: 8_000 });
  const { logs } = opened;
  const answer = await logs.create({ ...recordOf("owner", "long"), conversationId: "c-1" });
  assert.ok(answer.type === "created");
  const { log } = answer;
  await log.append([textOf("a"), textOf("x".repeat(20_000)), terminal]);
  const found = await Promise.all(Array.from({ length: 100 }, () => logs.find("owner", "long")));
  const first = found[0]?.log;
  assert.ok(first !== undefined && first !== log, "it was read from the database");
  assert.ok(found.every((one) => one?.log === first));
  const [whole, end] = [followed(first, 0), followed(first, 2)];
  await Promise.all([whole.ended, end.ended]);
  assert.equal(whole.read(), `1:a 2:${"x".repeat(20_000)} 3:answer`);
  assert.equal(end.read(), "3:answer");
  assert.equal((await logs.find("owner", "long"))?.log, first);
  assert.equal(await logs.find("other", "long"), undefined);
  await logs.forget("owner", "c-1");
  assert.equal(await logs.find("owner", "long"), undefined);
});

it("a reader has its turn of the loop for an end before the turn's row is made", async () => {
  await using opened = await openLogs();
  const log = await created(opened.logs, "owner", "turn");
  let reads = 0;
  const response = {
    get id() {
      reads += 1;
      return "resp_1";
    },
  };
  const end: TurnEvent = {
    ...{ type: "answer", status: "completed" },
    answer: { kind: "responses", text: "", response, finishReason: "stop", simulated: false },
  };
  const meanwhile = Promise.withResolvers<number>();
  const reader = log.open(0, () => {
    const before = reads;
    process.nextTick(() => meanwhile.resolve(reads - before));
  });
  assert.equal(reader.take(), undefined);
  const appended = log.append([end]);
  assert.equal(await meanwhile.promise, 0);
  const before = reads;
  await appended;
  assert.equal(reads - before, 1, "the row is made once the append has settled");
});
