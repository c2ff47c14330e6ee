import assert from "node:assert/strict";
import { describeConversationStore } from "../../ports/conversation-store-contract.ts";
import { describeKeyStore } from "../../ports/key-store-contract.ts";
import { describeResponses, responseRetentionMs } from "../../ports/response-store-contract.ts";
import { describeLeaving, describeTurnLog } from "../../ports/turn-log-contract.ts";
import { created, describeTurnLogStore } from "../../ports/turn-log-store-contract.ts";
import { describeTurnQuestions } from "../../ports/turn-question-contract.ts";
import { describeVendorIds } from "../../ports/vendor-ids-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { openCluster } from "./open-cluster.ts";

describeTurnLogStore("another process", async (options) => {
  const cluster = await openCluster(options);
  const { logs } = await cluster.join().open();
  return { store: logs, [Symbol.asyncDispose]: cluster[Symbol.asyncDispose] };
});

describeTurnLogStore("another process, found from a third,", async (options) => {
  const cluster = await openCluster(options);
  const [first, second] = [await cluster.join().open(), await cluster.join().open()];
  return {
    store: { ...first.logs, find: second.logs.find },
    [Symbol.asyncDispose]: cluster[Symbol.asyncDispose],
  };
});

async function openLog() {
  const cluster = await openCluster();
  const { logs } = await cluster.join().open();
  return { log: await created(logs, "owner", "id"), [Symbol.asyncDispose]: cluster[Symbol.asyncDispose] };
}

describeTurnLog("another process", openLog);
describeLeaving("another process", openLog);

describeTurnLog("another process, followed from a third,", async () => {
  const cluster = await openCluster();
  const [first, second] = [await cluster.join().open(), await cluster.join().open()];
  const log = await created(first.logs, "owner", "id");
  const found = await second.logs.find("owner", "id");
  assert.ok(found !== undefined);
  return {
    log: {
      get isFull() {
        return log.isFull;
      },
      get unkept() {
        return log.unkept;
      },
      get headSeq() {
        return log.headSeq;
      },
      get ended() {
        return log.ended;
      },
      append: (steps) => log.append(steps),
      leave: () => log.leave(),
      open: found.log.open,
    },
    [Symbol.asyncDispose]: cluster[Symbol.asyncDispose],
  };
});

describeConversationStore("another process", async () => {
  const cluster = await openCluster();
  const { conversations } = await cluster.join().open();
  return { store: conversations, [Symbol.asyncDispose]: cluster[Symbol.asyncDispose] };
});

describeKeyStore("another process", async () => {
  const cluster = await openCluster();
  const { keys } = await cluster.join().open();
  return { store: keys, [Symbol.asyncDispose]: cluster[Symbol.asyncDispose] };
});

describeKeyStore("another process, listened to from a third,", async () => {
  const cluster = await openCluster();
  const [first, second] = [await cluster.join().open(), await cluster.join().open()];
  return {
    store: { ...first.keys, onRevoked: second.keys.onRevoked },
    [Symbol.asyncDispose]: cluster[Symbol.asyncDispose],
  };
});

describeVendorIds("another process", async () => {
  const clock = createTestClock({ instantMs: 1_000 });
  const cluster = await openCluster({ clock });
  const { vendorIds } = await cluster.join().open();
  return { store: vendorIds, clock, [Symbol.asyncDispose]: cluster[Symbol.asyncDispose] };
});

describeVendorIds("another process, asked from a third,", async () => {
  const clock = createTestClock({ instantMs: 1_000 });
  const cluster = await openCluster({ clock });
  const [first, second] = [await cluster.join().open(), await cluster.join().open()];
  return {
    store: { note: first.vendorIds.note, isOwn: second.vendorIds.isOwn },
    clock,
    [Symbol.asyncDispose]: cluster[Symbol.asyncDispose],
  };
});

describeTurnQuestions("another process", async () => {
  const cluster = await openCluster();
  const { logs, conversations } = await cluster.join().open();
  return { logs, conversations, [Symbol.asyncDispose]: cluster[Symbol.asyncDispose] };
});

describeResponses("another process", async () => {
  const clock = createTestClock({ instantMs: 1_000 });
  const cluster = await openCluster({ clock, retentionMs: responseRetentionMs });
  const [first, second] = [await cluster.join().open(), await cluster.join().open()];
  return {
    store: { keep: first.responses.keep, context: second.responses.context },
    clock,
    [Symbol.asyncDispose]: cluster[Symbol.asyncDispose],
  };
});
