import { Redis } from "ioredis";
import pg from "pg";

/** Listens beside the nodes, and counts how many messages of a type went each way. */
export async function spyOnMessages(databaseUrl: string, redisUrl: string) {
  const byNotify: string[] = [];
  const byRedis: string[] = [];
  const client = new pg.Client(databaseUrl);
  await client.connect();
  client.on("notification", ({ payload = "" }) => byNotify.push(payload));
  await client.query("LISTEN troupe");
  const redis = new Redis(redisUrl);
  redis.on("error", () => undefined).on("pmessage", (_pattern, _channel, payload) => byRedis.push(payload));
  await redis.psubscribe("*");
  const count = (payloads: readonly string[], type: string) =>
    payloads.filter((payload) => JSON.parse(payload).message.type === type).length;
  return {
    counts: (type: string) => ({ notify: count(byNotify, type), redis: count(byRedis, type) }),
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await client.end();
    },
  };
}
