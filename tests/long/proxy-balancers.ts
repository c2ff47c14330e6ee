import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { createCrowd } from "../crash/crowd.ts";
import { createFindings } from "../crash/findings.ts";
import { createRecordShelf } from "../crash/record-shelf.ts";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { checkRequests } from "../crash/verdict.ts";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { connect } from "../support/wire-client.ts";
import { emptyDatabase, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { startNodes, type TestNodes } from "./postgres/start-nodes.ts";
import { type BalancerName, startBalancer, withBalancer } from "./proxy/balancers.ts";
import { writeRecord } from "./record/report.ts";

/** The figures of a short run; a longer one sets its own. */
const rounds = Number(process.env.ROLLING_ROUNDS ?? 1);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);

/** The figures of the rolling restarts, by balancer. */
const columns = new Map<BalancerName, Readonly<Record<string, number>>>();
const words: Readonly<Record<string, string>> = {
  restarts: "answers begun again",
  restarted: "answered again",
  otherEnds: "other ends",
};

/** Prints the figures of both balancers next to one another. */
function finish(): void {
  const names = Object.keys([...columns.values()][0] ?? {});
  const rows = names.map((name) => [name, ...[...columns.values()].map((figures) => figures[name] ?? "")]);
  const head = [`${rounds * 3} restarts behind`, ...columns.keys()];
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  console.log(lines.join("\n"));
  const settings = { ROLLING_ROUNDS: rounds, CRASH_STREAMS: streams, CRASH_SEED: seed };
  writeRecord("proxy-balancers", settings, lines.join("\n"));
}

after(stopShared);
after(finish);

const key = "troupe_".padEnd(43, "x");
const variables = {
  TROUPE_API_KEYS: `crowd=${key}`,
  TROUPE_TRUSTED_PROXIES: "127.0.0.1",
  TROUPE_LAME_DUCK_MS: "2000",
  TROUPE_RECONNECT_SPREAD_MS: "1000",
  TROUPE_DRAIN_MS: "60000",
};

/** Clients of three nodes behind a balancer, while `change` does something to the nodes. */
async function runBehind(name: BalancerName, change: (nodes: TestNodes) => Promise<void>) {
  const random = createSeededRandom(seed);
  const findings = createFindings();
  const databaseUrl = await emptyDatabase();
  await using shelf = await createRecordShelf();
  await using upstream = await createCountingUpstream({ delayMs: () => random.whole(20, 100) });
  await using nodes = await startNodes({
    ...{ databaseUrl, upstreamUrl: upstream.baseUrl, count: 3, variables },
  });
  const ports = nodes.all.map(({ url = "" }) => Number(new URL(url).port));
  await using balancer = await startBalancer(name, ports);
  const crowd = createCrowd({
    ...{ streams, random, findings, life: () => 1, onRead: shelf.put },
    headers: { authorization: `Bearer ${key}` },
    url: () => `ws://127.0.0.1:${balancer.port}/ws`,
    outlastingShare: 0.3,
    cancelShare: 0.1,
  });
  try {
    await sleep(1_000);
    await change(nodes);
    await sleep(1_000);
    await Promise.race([crowd.finish(), sleep(60_000, undefined, { ref: false })]);
    const { counts } = crowd;
    const unread = crowd.unread.length;
    return {
      ...{ counts, unread, findings },
      endings: checkRequests([...shelf.records, ...crowd.unread], upstream, findings),
    };
  } finally {
    crowd.close();
  }
}

for (const name of ["HAProxy", "nginx"] as const)
  describe(`three nodes behind ${name}`, { skip: withPostgres.skip || withBalancer(name).skip }, () => {
    it(`lose, interrupt and refuse nothing in ${rounds} rolling restarts under ${streams} streams`, async () => {
      const run = await runBehind(name, async (nodes) => {
        for (let round = 0; round < rounds; round += 1)
          for (const node of nodes.all) {
            assert.equal(await node.stop(), 0);
            node.start();
            await node.listening();
            // The balancer finds it.
            await sleep(1_500);
          }
      });
      const { connections, resumes, sentAway } = run.counts;
      columns.set(name, {
        ...{ streams, connections, resumes, refused: sentAway },
        ...Object.fromEntries(Object.entries(run.endings).map(([end, count]) => [words[end] ?? end, count])),
        ...Object.fromEntries(run.findings.rows()),
      });
      assert.deepEqual(
        [run.findings.total, run.unread, run.endings.interrupted, run.endings.restarts],
        [0, 0, 0, 0],
      );
      assert.deepEqual([run.endings.otherEnds, run.counts.sentAway], [0, 0]);
    });

    it("send the clients of a stopping node away themselves, and no others", async () => {
      await using upstream = await createCountingUpstream({ delayMs: () => 1 });
      await using nodes = await startNodes({
        ...{ databaseUrl: await emptyDatabase(), upstreamUrl: upstream.baseUrl, count: 3 },
        // Longer than a balancer needs to find that a port is closed.
        variables: { ...variables, TROUPE_RECONNECT_SPREAD_MS: "4000" },
      });
      const ports = nodes.all.map(({ url = "" }) => Number(new URL(url).port));
      await using balancer = await startBalancer(name, ports);
      const url = `ws://127.0.0.1:${balancer.port}/ws`;
      const headers = { authorization: `Bearer ${key}` };
      const codes: number[] = [];
      for (let count = 0; count < 6; count += 1)
        void (await connect(url, { headers })).closed.then(({ code }) => codes.push(code));
      // The nodes know of one another.
      await sleep(3_000);
      await nodes.all[0]?.stop();
      assert.deepEqual(codes, [1012, 1012]);
    });

    it("let clients that cannot go elsewhere stay at a stopping node to the end of their answers", async () => {
      await using upstream = await createUpstreamDouble({ keepAlive: false });
      const gate = createGate();
      const script = streamScript(answer({ deltas: ["One ", "two."] }));
      upstream.respond([...script.slice(0, -3), { waitFor: gate.opened }, ...script.slice(-3)]);
      await using nodes = await startNodes({
        ...{ databaseUrl: await emptyDatabase(), upstreamUrl: upstream.baseUrl, count: 3, variables },
      });
      const ports = nodes.all.map(({ url = "" }) => Number(new URL(url).port));
      await using balancer = await startBalancer(name, ports);
      const url = `ws://127.0.0.1:${balancer.port}/ws`;
      const headers = { authorization: `Bearer ${key}` };
      const clients = await Promise.all(Array.from({ length: 3 }, () => connect(url, { headers })));
      // Such an answer is kept nowhere else.
      const data = { input_text: "Count.", options: { store: false }, pacing: { mode: "raw" } };
      for (const client of clients) client.send({ type: "openai_chat", id: "transient", data });
      await Promise.all(clients.map((client) => client.next(({ type }) => type === "chunk")));
      // The nodes know of one another.
      await sleep(3_000);
      const stopped = nodes.all[0]?.stop();
      // Longer than the balancer takes to notice a closed port, after the node has sent its other clients away.
      await sleep(8_000);
      gate.open();
      for (const client of clients) {
        const end = (await client.untilTerminal("transient")).at(-1);
        assert.equal(end?.type, "response");
      }
      assert.equal(await stopped, 0);
      const { code } = await Promise.race(clients.map(({ closed }) => closed));
      assert.equal(code, 1012);
    });

    it("go on when one of them is killed", async () => {
      const run = await runBehind(name, async (nodes) => {
        await nodes.all[0]?.kill();
        await sleep(6_000);
      });
      assert.deepEqual([run.findings.total, run.unread], [0, 0], run.findings.examples.join("\n"));
      assert.ok(run.endings.completed > streams);
    });
  });
