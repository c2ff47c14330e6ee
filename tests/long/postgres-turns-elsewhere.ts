import { after, before, describe } from "node:test";
import { describeTurnsElsewhere } from "../cluster/turns-elsewhere-contract.ts";
import { type RedisProcess, startRedis, withRedis } from "./peers/redis-process.ts";
import { startGatedNodes } from "./postgres/gated-nodes.ts";
import { loseMessages } from "./postgres/lose-messages.ts";
import { stopShared } from "./postgres/open-store.ts";
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

  describe("without messages", () => {
    let restore: () => void = () => undefined;
    before(() => {
      restore = loseMessages();
    });
    after(() => restore());

    describeTurnsElsewhere("nodes whose messages are all lost", startGatedNodes, { hearEachOther: false });
  });
});
