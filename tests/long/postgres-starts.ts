import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, drop } from "../../src/adapters/postgres/connection.ts";
import { migrate, steps } from "../../src/adapters/postgres/migrations.ts";
import { modelAsk } from "../crash/any-ask.ts";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createFindings } from "../crash/findings.ts";
import { createRequestRecord } from "../crash/request-record.ts";
import { createReturningClient } from "../crash/returning-client.ts";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { createServerProcess, type ServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import { checkRequests } from "../crash/verdict.ts";
import { createFaultyProxy } from "./postgres/faulty-proxy.ts";
import { emptyDatabase, lockOn, runOn, sharedServer, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { runNodeFaults } from "./postgres/run-node-faults.ts";
import { startNodes, untilServing } from "./postgres/start-nodes.ts";
import { report } from "./record/report.ts";

/** Without a figure, starts under load are skipped. */
const starts = Number(process.env.NODE_STARTS ?? 0);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);

/** A database as the release before the last steps has left it. */
async function oldDatabase(): Promise<string> {
  const url = await (await sharedServer()).createDatabase();
  const client = await connect(url, "other");
  try {
    await migrate(client, steps.slice(0, -2));
  } finally {
    drop(client);
  }
  return url;
}

/** Which nodes wait for this kind of lock, by the names of their connections. */
async function waitersFor(url: string, kind: "advisory" | "relation"): Promise<string[]> {
  const rows = await runOn(
    url,
    "SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = $1 AND datname = current_database()",
    [kind],
  );
  return rows.map(({ name }) => String(name));
}

describe("a node that is killed in its start", withPostgres, () => {
  after(stopShared);

  for (const killed of ["migrates", "waits for the other one"] as const)
    it(`leaves an old schema to another one that starts at once, when it ${killed}`, async () => {
      const url = await oldDatabase();
      await using cleanUp = new AsyncDisposableStack();
      const upstream = cleanUp.use(await createCountingUpstream({ delayMs: () => 1 }));
      const nodes = new Map<string, ServerProcess>();
      for (const name of ["first", "second"]) {
        const { folder: data } = cleanUp.use(await createDataFolder());
        const node = createServerProcess({
          environment: {
            ...troupeEnvironment({ data, upstreamUrl: upstream.baseUrl }),
            TROUPE_DATABASE_URL: `${url}?application_name=${name}`,
          },
        });
        cleanUp.defer(() => node.kill());
        nodes.set(name, node);
      }
      // The step before the last changes this table, so the migration waits in its middle.
      const held = await lockOn(url, "LOCK TABLE usage IN ACCESS SHARE MODE");
      for (const node of nodes.values()) node.start();
      const kind = killed === "migrates" ? "relation" : "advisory";
      let name: string | undefined;
      while (name === undefined) {
        const other = await waitersFor(url, kind === "advisory" ? "relation" : "advisory");
        if (other.length > 0) [name] = await waitersFor(url, kind);
        await sleep(5);
      }
      const node = nodes.get(name);
      assert.ok(node !== undefined);
      await node.kill();
      await held.release();
      const survivor = [...nodes.values()].find((other) => other !== node);
      await survivor?.listening();
      node.start();
      await node.listening();
      const done = await runOn(url, "SELECT step FROM schema_steps ORDER BY step");
      assert.deepEqual(
        done.map(({ step }) => step),
        steps.map((_, index) => index + 1),
      );
      const findings = createFindings();
      const random = createSeededRandom(seed);
      const records = await Promise.all(
        [...nodes].map(async ([id, { url: at = "" }]) => {
          const record = createRequestRecord(modelAsk(id, random), findings);
          const client = createReturningClient({ url: () => at, random, findings, life: () => 1 });
          await client.read(record, true).finally(client.close);
          return record;
        }),
      );
      assert.equal(checkRequests(records, upstream, findings).completed, 2);
      assert.deepEqual(findings.examples, []);
    });

  /** A node whose turns others have taken over, and which cannot reach the database until `heal`. */
  async function startTakenOver() {
    await using opening = new AsyncDisposableStack();
    const url = await emptyDatabase();
    const proxy = opening.use(await createFaultyProxy(url));
    const upstream = opening.use(await createCountingUpstream({ delayMs: () => 1 }));
    const nodes = opening.use(
      await startNodes({
        ...{ databaseUrl: url, upstreamUrl: upstream.baseUrl, count: 1 },
        databaseUrlOf: () => proxy.url,
      }),
    );
    const [node] = nodes.all;
    assert.ok(node !== undefined);
    const { port } = new URL(node.url ?? "");
    await runOn(url, "DELETE FROM fences");
    const isOpen = () =>
      fetch(`http://127.0.0.1:${port}`).then(
        () => true,
        () => false,
      );
    // It closes its port before it starts again.
    while (await isOpen()) await sleep(20);
    proxy.block("statements");
    const cutting = setInterval(() => proxy.cut(), 20);
    opening.defer(() => clearInterval(cutting));
    // It has tried by then.
    await sleep(4_000);
    const opened = opening.move();
    return {
      node,
      heal() {
        clearInterval(cutting);
        proxy.heal();
      },
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  }

  it("starts again in place, although it was taken over and does not find the database", async () => {
    await using system = await startTakenOver();
    system.heal();
    await untilServing(system.node);
    assert.equal(system.node.life, 1);
    assert.equal(await system.node.stop(), 0);
  });

  it("stops in order while it does not find the database", async () => {
    await using system = await startTakenOver();
    assert.equal(await system.node.stop(), 0);
  });

  const skip = starts === 0 && "NODE_STARTS gives no figure";
  it(`loses nothing of others in ${starts} such starts under ${streams} streams, seed ${seed}`, {
    skip,
  }, async () => {
    const faults = Array.from({ length: starts }, () => "kill in the start" as const);
    const run = await runNodeFaults({ plan: [[{ faults }]], streams, seed, patienceMs: 180_000 });
    report({
      program: "postgres-starts",
      settings: { NODE_STARTS: starts, CRASH_STREAMS: streams, CRASH_SEED: seed },
      figures: {
        "kills in the start of a node": 2 * starts,
        "requests in the middle of their answer at a fault": run.inAnswer,
        ...run.endings,
        ...run.judged,
        ...run.invariants,
      },
      findings: run.findings,
    });
    assert.deepEqual([run.findings.total, run.unread, run.inRows], [0, 0, []]);
    assert.ok(run.inAnswer > 0);
  });
});
