import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createMortalThreads } from "../crash/mortal-threads.ts";
import { answer } from "../doubles/answer.ts";
import type { Script } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { startCluster } from "../support/start-cluster.ts";
import type { RunningTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import type { WireClient } from "../support/wire-client.ts";
import {
  ask,
  type BudgetStage,
  endlessScript,
  endsOf,
  fourTokens,
  readUsage,
  startBudgetStage,
  totalOf,
} from "./budget-stage.ts";

const dayMs = 24 * 3_600_000;
const cap = 4_000;
const stepTokens = 256;
/** The tokens of "Hi", and of "Hi" with an option. */
const inputTokens = 1;
const optionTokens = 2;

interface Budget {
  readonly options: TroupeOptions;
  /** The data of every request. */
  readonly data: object;
  /** The budget belongs to one request, so other requests do not use it up. */
  readonly isOfRequest?: true;
}

const budgets: Readonly<Record<string, Budget>> = {
  "the request's tokens": { options: {}, data: { budget_tokens: cap }, isOfRequest: true },
  "the key's tokens": { options: { tokensPerDay: cap }, data: {} },
  "the server's tokens": { options: { serverTokensPerDay: cap }, data: {} },
  "the server's money": {
    options: { moneyPerDay: cap / 1_000_000, fallbackPrice: { input: 1, output: 1 } },
    data: {},
  },
};

/** Limits so long that time does not end the waiting requests. */
const patient: TroupeOptions = { firstByteMs: 10 * dayMs, idleMs: 10 * dayMs, turnLimitMs: 10 * dayMs };
/** The usage that the provider reports. */
const known = { inputTokens: 7, outputTokens: 30 };
const knownTotal = known.inputTokens + known.outputTokens;
const whole = streamScript(answer({ text: "Done.", usage: known }));
const deltas = Array.from({ length: 10 }, () => fourTokens);
const events = answer({ deltas, responseId: "resp_7" });
const openingEvents = events.findLastIndex((event) => event.includes("output_text.delta")) + 1;
/** Forty tokens, and then silence. */
const forty: Script = [...streamScript(events.slice(0, openingEvents)), { hang: true }];
const fortyTotal = inputTokens + 40;
const reservedTotal = inputTokens + stepTokens;
let probes = 0;

/** How much of a budget is spent or reserved, worked out from the limit that the provider is sent. */
async function takenOf(
  budget: Pick<Budget, "data">,
  client: WireClient,
  upstream: UpstreamDouble,
  input = inputTokens,
): Promise<number> {
  probes += 1;
  const id = `probe-${probes}`;
  upstream.respond(streamScript(answer({ text: ".", usage: { inputTokens: 0, outputTokens: 0 } })));
  client.send(ask(id, budget.data));
  await endsOf(client, [id]);
  const body = upstream.requests.at(-1)?.body as { readonly max_output_tokens?: number } | undefined;
  const left = body?.max_output_tokens;
  assert.ok(left !== undefined, "the provider is told what is left");
  return cap - input - left;
}

async function play(
  stage: { upstream: UpstreamDouble },
  client: WireClient,
  id: string,
  script: Script,
  data: object,
) {
  stage.upstream.respond(script);
  client.send(ask(id, data));
  return endsOf(client, [id]);
}

/** A call in the middle of its answer, after the client has received all text so far. */
async function beginForty(stage: { upstream: UpstreamDouble }, client: WireClient, id: string, data: object) {
  stage.upstream.respond(forty);
  client.send(ask(id, data));
  let shown = "";
  while (shown.length < deltas.join("").length) {
    const chunk = await client.next((message) => message.type === "chunk" && message.request_id === id);
    if (chunk.type === "chunk") shown += chunk.chunk;
  }
}

async function cancel(client: WireClient, id: string): Promise<void> {
  client.send({ type: "cancel", data: { request_id: id } });
  await endsOf(client, [id]);
}

/** Copies the database in the state in which a crash would leave it. */
function copyTo(folder: string, from: string): void {
  const source = openBeside(path.join(from, "troupe.db"));
  source.exec(`VACUUM INTO '${path.join(folder, "troupe.db")}'`);
  source.close();
}

/** Its ids share one database with those of other servers. */
function makeClock(): TestClock {
  return Object.assign(createTestClock({ instantMs: 1_000 }), { newId: () => crypto.randomUUID() });
}

const idle = async (server: RunningTroupe) => {
  await until(() => server.troupe.stats().turns === 0);
};

for (const [name, budget] of Object.entries(budgets)) {
  /** The part of an amount that the next request finds used up. */
  const taken = (amount: number) => (budget.isOfRequest ? 0 : amount);
  const start = (at: Parameters<typeof startBudgetStage>[1] = {}): Promise<BudgetStage> =>
    startBudgetStage({ ...patient, ...budget.options }, { clock: makeClock(), ...at });

  describe(`of ${name}`, () => {
    it("a restart forgets nothing", async () => {
      await using place = await createDataFolder();
      for (const expected of [0, knownTotal, 2 * knownTotal]) {
        await using stage = await start({ folder: place.folder });
        const client = await stage.server.connect();
        assert.equal(await takenOf(budget, client, stage.upstream), taken(expected));
        await play(stage, client, `whole-${expected}`, whole, budget.data);
        assert.equal(await takenOf(budget, client, stage.upstream), taken(expected + knownTotal));
      }
    });

    it("after a crash, reserved amounts count as spent, and nothing stays reserved", async () => {
      await using place = await createDataFolder();
      await using first = await start();
      const client = await first.server.connect();
      await play(first, client, "whole", whole, budget.data);
      await beginForty(first, client, "cut", budget.data);
      assert.equal(await takenOf(budget, client, first.upstream), taken(knownTotal + reservedTotal));
      copyTo(place.folder, first.folder);
      await using second = await start({ folder: place.folder });
      const back = await second.server.connect();
      assert.equal(await takenOf(budget, back, second.upstream), taken(knownTotal + reservedTotal));
      const cut = (await second.rows()).find(({ request_id }) => request_id === "cut");
      assert.deepEqual([cut?.outcome, cut?.total_tokens], ["interrupted", reservedTotal]);
    });

    it("a recovered call counts once, including its usage before the crash", async () => {
      await using place = await createDataFolder();
      const data = { ...budget.data, options: { background: true } };
      await using first = await start();
      const client = await first.server.connect();
      await beginForty(first, client, "recovered", data);
      copyTo(place.folder, first.folder);

      await using upstream = await createUpstreamDouble({ keepAlive: false });
      upstream.respondToRetrieval(() => [...streamScript([]), { hang: true }]);
      {
        await using second = await start({ folder: place.folder, upstream });
        await until(() => upstream.retrievals.length === 1);
        const back = await second.server.connect();
        back.send({ type: "resume", data: { request_id: "recovered", after_seq: 0 } });
        await back.next((message) => message.type === "resumed");
        assert.equal(await takenOf(budget, back, upstream), taken(optionTokens + stepTokens));
        await cancel(back, "recovered");
        await idle(second.server);
        assert.equal(await takenOf(budget, back, upstream), taken(optionTokens + 40));
      }
      await using third = await start({ folder: place.folder, upstream });
      assert.equal(await takenOf(budget, await third.server.connect(), upstream), taken(optionTokens + 40));
      const rows = (await third.rows()).filter(({ request_id }) => request_id === "recovered");
      assert.deepEqual(
        rows.map((row) => [row.outcome, row.total_tokens]),
        [["cancelled", optionTokens + 40]],
      );
    });

    it("a call over midnight is spent on the day on which it ends, and reserved until then", async () => {
      await using place = await createDataFolder();
      const clock = makeClock();
      {
        await using stage = await start({ folder: place.folder, clock });
        const client = await stage.server.connect();
        await play(stage, client, "before", whole, budget.data);
        await beginForty(stage, client, "over", budget.data);
        await clock.advance(dayMs);
        assert.equal(await takenOf(budget, client, stage.upstream), taken(reservedTotal));
        await cancel(client, "over");
        await idle(stage.server);
        assert.equal(await takenOf(budget, client, stage.upstream), taken(fortyTotal));
      }
      await using stage = await start({ folder: place.folder, clock });
      assert.equal(await takenOf(budget, await stage.server.connect(), stage.upstream), taken(fortyTotal));
    });

    it("a journal that fails loses no spending of the outage", async () => {
      using threads = createMortalThreads();
      await using place = await createDataFolder();
      const unkept = { ...budget.data, options: { store: false } };
      {
        await using stage = await start({ folder: place.folder });
        const client = await stage.server.connect();
        await play(stage, client, "before", whole, budget.data);
        threads.refuse(true);
        stage.upstream.respond(whole);
        // The first request discovers that the disk is full.
        for (const id of ["first", "second"]) {
          client.send(ask(id, budget.data));
          const [refused] = await endsOf(client, [id]);
          assert.ok(refused?.type === "error" && refused.code === "storage_unavailable");
          if (id === "second") assert.equal(refused.seq, undefined);
        }
        assert.equal(stage.upstream.requests.length, 1);
        await play(stage, client, "unkept", whole, unkept);
        const inOutage = { data: unkept };
        const found = await takenOf(inOutage, client, stage.upstream, optionTokens);
        assert.equal(found, taken(2 * knownTotal));
        threads.refuse(false);
        await stage.clock.advance(20_000);
        while ((await fetch(`${stage.server.httpUrl}/readyz`)).status !== 200)
          await stage.clock.advance(5_000);
        assert.equal(await takenOf(budget, client, stage.upstream), taken(2 * knownTotal));
      }
      assert.equal(totalOf(readUsage(place.folder)), 2 * knownTotal);
      await using stage = await start({ folder: place.folder });
      assert.equal(
        await takenOf(budget, await stage.server.connect(), stage.upstream),
        taken(2 * knownTotal),
      );
    });

    it("two workers spend one budget", async () => {
      await using upstream = await createUpstreamDouble({ keepAlive: false });
      const clock = makeClock();
      await using cluster = await startCluster(2, {
        ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, pacing: "raw", clock },
        ...patient,
        ...budget.options,
      });
      const clients = await Promise.all(cluster.servers.map((server) => server.connect()));
      const [one, other] = clients as [WireClient, WireClient];
      const at = { upstream };
      await play(at, one, "whole", whole, budget.data);
      assert.equal(await takenOf(budget, other, upstream), taken(knownTotal));
      await beginForty(at, one, "open", budget.data);
      assert.equal(await takenOf(budget, other, upstream), taken(knownTotal + reservedTotal));
      await cancel(one, "open");
      await until(() => cluster.servers.every(({ troupe }) => troupe.stats().turns === 0));
      assert.equal(await takenOf(budget, other, upstream), taken(knownTotal + fortyTotal));
      // After one client has used up the rest of the budget, the other gets nothing.
      await play(at, one, "all", endlessScript(), budget.data);
      other.send(ask("none", budget.data));
      const [none] = await endsOf(other, ["none"]);
      const code = none?.type === "error" ? none.code : none?.finish_reason;
      assert.equal(code, budget.isOfRequest ? "budget" : "day_budget_spent");
    });
  });
}
