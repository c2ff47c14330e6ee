import { after, before, describe, it } from "node:test";
import { createTroupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import { describeTurnsElsewhere } from "../cluster/turns-elsewhere-contract.ts";
import { moveConversation } from "../server/move-conversation.ts";
import { serveTroupe } from "../support/start-troupe.ts";
import { type RedisProcess, startRedis, withRedis } from "./peers/redis-process.ts";
import { startGatedNodes } from "./postgres/gated-nodes.ts";
import { loseMessages } from "./postgres/lose-messages.ts";
import { emptyDatabase, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

describe("nodes on one PostgreSQL", withPostgres, () => {
  after(stopShared);

  describeTurnsElsewhere("nodes that hear each other", startGatedNodes);

  describe("through Redis", withRedis, () => {
    let redis: RedisProcess;
    let restore: () => void = () => undefined;
    before(async () => {
      redis = await startRedis();
      restore = loseMessages();
    });
    after(async () => {
      restore();
      await redis[Symbol.asyncDispose]();
    });

    describeTurnsElsewhere("nodes that hear each other only there", () =>
      startGatedNodes({ redisUrl: redis.url }),
    );
  });

  it("carry a conversation with a picture and a function call through four APIs, each turn at the other node", async () => {
    const databaseUrl = await emptyDatabase();
    const start = async (options: TroupeOptions) =>
      serveTroupe(await createTroupe({ localProviders: [], databaseUrl, ...options }));
    await moveConversation(start, 2);
  });

  describe("without messages", () => {
    let restore: () => void = () => undefined;
    before(() => {
      restore = loseMessages();
    });
    after(() => restore());

    describeTurnsElsewhere("nodes whose messages are all lost", startGatedNodes, { hearEachOther: false });
  });
});
