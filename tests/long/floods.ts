import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type WireClient } from "../support/wire-client.ts";
import { reportFigures } from "./record/report.ts";
import { type Flood, floods } from "./sockets/flood-table.ts";
import { percentile } from "./sockets/percentiles.ts";
import { startServer } from "./sockets/start-server.ts";

/** `FLOOD_SOCKETS` sets how many clients attack at the same time. */
const attackers = Number(process.env.FLOOD_SOCKETS ?? 20);
const key = "0123456789abcdef";

type System = Awaited<ReturnType<typeof startServer>>;

const countOf = ({ share = 1 }: Flood) => Math.ceil(attackers * share);
const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

/** Asks until it is told to stop. Returns how long each answer took. */
async function keepAsking(client: WireClient, over: AbortSignal): Promise<number[]> {
  const tookMs: number[] = [];
  while (!over.aborted) {
    const startedAtMs = performance.now();
    client.send({ type: "ping", id: String(tookMs.length) });
    await client.next((message) => message.type === "pong" && message.id === String(tookMs.length));
    tookMs.push(performance.now() - startedAtMs);
    await sleep(20);
  }
  return tookMs;
}

async function peakMemory(system: System, over: AbortSignal): Promise<number> {
  let most = 0;
  while (!over.aborted) {
    most = Math.max(most, await system.server.rssBytes());
    await sleep(50);
  }
  return most;
}

/** Runs one kind of flood from all clients at once, beside a client that asks all the time. */
async function play(system: System, flood: Flood) {
  const before = await system.server.rssBytes();
  const over = new AbortController();
  const client = await connect(system.url);
  const answers = keepAsking(client, over.signal);
  const most = peakMemory(system, over.signal);
  const startedAtMs = performance.now();
  const ends = await Promise.all(Array.from({ length: countOf(flood) }, () => flood.attack(system.httpUrl)));
  const tookMs = performance.now() - startedAtMs;
  over.abort();
  const growth = Math.max(0, (await most) - before);
  const othersMs = await answers;
  client.close();
  await client.closed;
  return { ends, growth, tookMs, othersMs };
}

it(`floods from ${attackers} sockets at the same time: each is ended as required, and other clients are answered`, async () => {
  await using system = await startServer({ TROUPE_PING_MS: "2000" });
  const start = await system.server.rssBytes();
  const figures: Record<string, string | number> = { "memory before": mebibytes(start) };
  const wrong: string[] = [];
  for (const flood of floods) {
    const { ends, growth, tookMs, othersMs } = await play(system, flood);
    const other = ends.filter((end) => !flood.ends.includes(end));
    if (other.length > 0) wrong.push(`${flood.name}: ${other.length} ended with ${[...new Set(other)]}`);
    figures[`${ends.length} times ${flood.name}`] = [
      `${ends.length - other.length} ended with ${flood.ends.join(" or ")} within ${(tookMs / 1_000).toFixed(1)} s`,
      `memory +${mebibytes(growth)}`,
      `another's ${othersMs.length} answers p50 ${percentile(othersMs, 0.5).toFixed(0)} ms, longest ${Math.max(...othersMs).toFixed(0)} ms`,
    ].join("; ");
    while ((await system.connections()) > 0) await sleep(10);
  }
  figures["memory after all of them"] = mebibytes(await system.server.rssBytes());
  figures["connections left open"] = await system.connections();
  figures["wrong ends"] = wrong.length;
  reportFigures({ program: "floods", settings: { FLOOD_SOCKETS: attackers }, figures });
  assert.deepEqual(wrong, []);
  assert.deepEqual(system.server.faults, []);
});

it("if keys are needed, connections without one never become sockets", async () => {
  await using system = await startServer({ TROUPE_API_KEYS: `ada=${key}` });
  const flood = floods.find(({ name }) => name.includes("no answer"));
  assert.ok(flood);
  const ends = await Promise.allSettled(
    Array.from({ length: attackers * 5 }, () => flood.attack(system.httpUrl)),
  );
  assert.ok(ends.every((end) => end.status === "rejected" && String(end.reason).includes("401")));
});
