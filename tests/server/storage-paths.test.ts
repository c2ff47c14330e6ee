import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createMortalThreads } from "../crash/mortal-threads.ts";
import { createRawClient } from "../doubles/raw-client.ts";
import { handshakeText } from "../support/raw-socket.ts";
import { startCluster } from "../support/start-cluster.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const key = "ada-0123456789abcdef";
const adminKey = "admin-0123456789abcdef0123456789";
const headers = { authorization: `Bearer ${key}` };
const data = { message: "Hi", persona_id: "teacher" };

/** Every client message that stores or reads data. */
const frames: readonly (readonly [string, object])[] = [
  ["chat", { type: "chat", id: "c", data }],
  ["chat without an id", { type: "chat", data }],
  ["chat in a conversation", { type: "chat", id: "d", data: { ...data, conversation_id: "kept" } }],
  [
    "multi_chat",
    { type: "multi_chat", id: "m", data: { message: "Hi", persona_ids: ["teacher", "skeptic"] } },
  ],
  ["openai_chat", { type: "openai_chat", id: "o", data: { input_text: "Hi" } }],
  ["resume", { type: "resume", data: { request_id: "never", after_seq: 0 } }],
  ["follow", { type: "follow", data: { conversation_id: "never" } }],
  ["cancel", { type: "cancel", data: { request_id: "never" } }],
];

/** Every route that stores or reads data. */
const routes: readonly (readonly [string, string, string?, object?])[] = [
  ["GET", "conversations"],
  ["GET", "conversations/x"],
  ["GET", "conversations/x/export"],
  ["GET", "conversations?q=words"],
  ["PATCH", "conversations/x", key, { title: "New" }],
  ["DELETE", "conversations/x"],
  ["GET", "usage"],
  ["GET", "requests/x"],
  ["GET", "keys", adminKey],
  ["POST", "keys", adminKey, { owner: "bob" }],
  ["DELETE", "keys/x", adminKey],
];

async function startAlone(options: TroupeOptions) {
  const place = await createDataFolder();
  const server = await startTroupe({ ...options, store: "sqlite", data: place.folder });
  return {
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

async function startWorker(options: TroupeOptions) {
  const cluster = await startCluster(2, options, { maxInAll: 1, maxPerOwner: 1, onFault: () => undefined });
  return {
    server: cluster.servers[1] as RunningTroupe,
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

for (const [name, start] of [
  ["a server", startAlone],
  ["a worker of several", startWorker],
] as const) {
  describe(`a disk that fails is storage_unavailable, of ${name}`, () => {
    it("for every message and route, each of which gives its place back, and in a handshake", async () => {
      using threads = createMortalThreads();
      const errors: string[] = [];
      const nothing = () => undefined;
      const error = (_fields: object, message: string) => void errors.push(message);
      await using system = await start({
        ...{ apiKeys: [{ owner: "ada", key }], adminKey, clock: createTestClock({ instantMs: 1_000 }) },
        ...{ maxRequests: 1, maxRequestsPerOwner: 1, maxRequestsPerKey: 1, maxRequestsPerConnection: 1 },
        logger: { debug: nothing, info: nothing, warn: nothing, error },
      });
      const { server } = system;
      const client = await server.connect({ headers });
      await threads.die();
      for (let round = 0; round < 3; round += 1) {
        for (const [frameName, frame] of frames) {
          client.send(frame);
          const reply = await client.next(({ type }) => type === "error" || type === "response");
          assert.ok(reply.type === "error", frameName);
          assert.deepEqual([reply.code, reply.retryable], ["storage_unavailable", true], frameName);
        }
      }
      for (const [method, route, of = key, body] of routes) {
        const response = await fetch(`${server.httpUrl}/api/${route}`, {
          method,
          headers: { authorization: `Bearer ${of}`, "content-type": "application/json" },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const { code } = (await response.json()) as { code: unknown };
        assert.deepEqual([response.status, code], [503, "storage_unavailable"], `${method} ${route}`);
      }
      using socket = await createRawClient(server.httpUrl);
      await socket.send(handshakeText(["authorization: Bearer troupe_of_nobody_that_is_known"]));
      assert.match(await socket.rest(), /^HTTP\/1\.1 503 [\s\S]*Retry-After: 5/);
      assert.equal(server.troupe.stats().turns, 0);
      assert.ok(
        errors.every((message) => message.includes("the storage fails")),
        errors.join("\n"),
      );
    });
  });
}
