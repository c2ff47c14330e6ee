import assert from "node:assert/strict";
import { test } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { Logger } from "../../src/compose/log-observer.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startCluster } from "../support/start-cluster.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { connect, type WireClient } from "../support/wire-client.ts";
import { ask, type BudgetStage, endsOf, startBudgetStage } from "./budget-stage.ts";

const behindProxy = { allowAnonymous: true, trustedProxies: ["127.0.0.1"] } satisfies TroupeOptions;

let secrets = 0;

/** Connects a new caller without a key, from this address. */
function stranger(url: string, address: string): Promise<WireClient> {
  secrets += 1;
  const headers = { authorization: `Bearer secret-number-${secrets}-of-mine`, "x-forwarded-for": address };
  return connect(url, { headers });
}

/** Starts a stage whose clients are closed with it. */
function startStage(options: TroupeOptions): Promise<BudgetStage> {
  return startBudgetStage({ ...behindProxy, ...options });
}

/** How the request of a new caller without a key ends or is refused. */
async function endOf(stage: BudgetStage, address: string, data: object = { budget_tokens: 40 }) {
  const client = await stranger(stage.server.url, address);
  client.send(ask("once", data));
  const [end] = await endsOf(client, ["once"]);
  client.terminate();
  assert.ok(end !== undefined);
  return end.type === "error" ? `${end.code}: ${end.message}` : end.type;
}

test("sockets of callers without keys are limited per address and in total, even with different secrets", async () => {
  await using server = await startTroupe({
    ...behindProxy,
    maxConnectionsPerAddress: 2,
    maxAnonymousConnections: 3,
  });
  const open: WireClient[] = [];
  const enter = async (address: string) => open.push(await stranger(server.url, address));
  await enter("203.0.113.7");
  await enter("203.0.113.7");
  await assert.rejects(enter("203.0.113.7"), /429/);
  // All addresses of one IPv6 network count as the same place.
  await enter("2001:db8:1:2::1");
  await assert.rejects(enter("203.0.113.8"), /429/);
  open[0]?.terminate();
  while (server.troupe.stats().connections > 2) await new Promise((resolve) => setImmediate(resolve));
  await enter("2001:db8:1:2:ffff::2");
  open[1]?.terminate();
  while (server.troupe.stats().connections > 2) await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(enter("2001:db8:1:2:eeee::3"), /429/);
  await enter("203.0.113.7");
  for (const client of open) client.terminate();
});

test("requests in flight are limited by address and together, and their places are given back", async () => {
  await using stage = await startStage({ maxRequestsPerAddress: 2, maxAnonymousRequests: 3 });
  const begin = async (address: string) => {
    const client = await stranger(stage.server.url, address);
    client.send(ask("mine", {}));
    const reply = await client.next(({ type }) => type === "chunk" || type === "error");
    return { client, refusal: reply.type === "error" ? `${reply.code}: ${reply.message}` : undefined };
  };
  const first = await begin("203.0.113.7");
  const second = await begin("203.0.113.7");
  const refused = await begin("203.0.113.7");
  assert.match(String(refused.refusal), /^too_many_requests: .* This address may have 2 in flight\.$/);
  const other = await begin("203.0.113.8");
  const late = await begin("203.0.113.9");
  assert.match(
    String(late.refusal),
    /^too_many_requests: .* All callers without a key may have 3 in flight\.$/,
  );
  assert.deepEqual([first.refusal, second.refusal, other.refusal], [undefined, undefined, undefined]);
  first.client.send({ type: "cancel", data: { request_id: "mine" } });
  await endsOf(first.client, ["mine"]);
  const next = await begin("203.0.113.9");
  assert.equal(next.refusal, undefined);
  for (const { client } of [first, second, refused, other, late, next]) client.terminate();
});

test("requests a minute are limited by address and together; refused ones of an address count for it alone", async () => {
  await using stage = await startStage({ addressRequestsPerMinute: 2, anonymousRequestsPerMinute: 3 });
  assert.equal(await endOf(stage, "203.0.113.7"), "response");
  assert.equal(await endOf(stage, "203.0.113.7"), "response");
  for (let count = 0; count < 5; count += 1)
    assert.match(
      await endOf(stage, "203.0.113.7"),
      /^request_rate_exceeded: .* This address may ask 2 times a minute\.$/,
    );
  assert.equal(await endOf(stage, "203.0.113.8"), "response");
  assert.match(await endOf(stage, "203.0.113.8"), /All callers without a key may ask 3 times a minute\.$/);
  await stage.clock.advance(60_000);
  assert.equal(await endOf(stage, "203.0.113.7"), "response");
});

test("tokens a day are limited per address and in total; a restart remembers the total", async () => {
  // The double never stops talking, so the server's own budget has to end the answer.
  const options = { addressTokensPerDay: 300, anonymousTokensPerDay: 500, serverTokensPerDay: 5_000 };
  const before = await startStage(options);
  await using _folder = before;
  const unlimited = {};
  assert.equal(await endOf(before, "203.0.113.7", unlimited), "response");
  assert.match(
    await endOf(before, "203.0.113.7", unlimited),
    /^day_budget_spent: .* This address may use 300 tokens a day\.$/,
  );
  assert.equal(await endOf(before, "203.0.113.8", unlimited), "response");
  const spent = /^day_budget_spent: .* All callers without a key may use 500 tokens a day\.$/;
  assert.match(await endOf(before, "203.0.113.9", unlimited), spent);
  const used = (await before.rows()).reduce((sum, row) => sum + row.total_tokens, 0);
  assert.ok(used <= 516, String(used));
  await before.server[Symbol.asyncDispose]();

  await using after = await startBudgetStage(
    { ...behindProxy, ...options },
    { folder: before.folder, clock: before.clock },
  );
  assert.match(await endOf(after, "203.0.113.10", unlimited), spent);
});

test("holders of keys are in no such group", async () => {
  const key = "ada-0123456789abcdef";
  await using server = await startTroupe({
    ...{ apiKeys: [{ owner: "ada", key }], trustedProxies: ["127.0.0.1"] },
    ...{ maxConnectionsPerAddress: 1, maxAnonymousConnections: 1 },
  });
  const headers = { authorization: `Bearer ${key}`, "x-forwarded-for": "203.0.113.7" };
  await server.connect({ headers });
  await server.connect({ headers });
  assert.equal(server.troupe.stats().connections, 2);
});

test("several processes share the minute of an address", async () => {
  await using upstream = await createUpstreamDouble({ keepAlive: false });
  upstream.respond(streamScript(answer({ deltas: ["Hello."] })));
  await using cluster = await startCluster(2, {
    ...behindProxy,
    ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, pacing: "raw" },
    clock: createTestClock({ instantMs: 1_000 }),
    addressRequestsPerMinute: 2,
  });
  const codes: string[] = [];
  for (const server of [...cluster.servers, ...cluster.servers]) {
    const client = await stranger(server.url, "203.0.113.7");
    client.send(ask("once", {}));
    const [end] = await endsOf(client, ["once"]);
    codes.push(end?.type === "error" ? end.code : String(end?.type));
    client.terminate();
  }
  assert.deepEqual(codes, ["response", "response", "request_rate_exceeded", "request_rate_exceeded"]);
});

test("the start warns in one line of callers without keys that nothing limits together", async () => {
  const warningsOf = async (options: TroupeOptions) => {
    const warnings: string[] = [];
    const nothing = () => undefined;
    const logger: Logger = {
      ...{ debug: nothing, info: nothing, error: nothing },
      warn: (_, message) => warnings.push(message),
    };
    await using _server = await startTroupe({ ...options, logger });
    return warnings.filter((message) => message.includes("without keys"));
  };
  const [warning, ...more] = await warningsOf({ allowAnonymous: true });
  assert.match(String(warning), /TROUPE_MAX_CONNECTIONS_PER_ADDRESS/);
  assert.equal(more.length, 0);
  assert.deepEqual(await warningsOf({}), []);
  assert.deepEqual(await warningsOf({ allowAnonymous: true, anonymousTokensPerDay: 1_000 }), []);
  assert.deepEqual(
    await warningsOf({ allowAnonymous: true, apiKeys: [{ owner: "a", key: "x".repeat(16) }] }),
    [],
  );
});
