import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../support/wire-client.ts";
import { startChild } from "./load/child-program.ts";
import { runSlot, type SlotKind } from "./load/load-slot.ts";
import type { ServerAnswers } from "./load/server-program.ts";
import { createSlotGate } from "./load/slot-gate.ts";
import type { UpstreamAnswers } from "./load/upstream-program.ts";

/** `LOAD_STREAMS`, `LOAD_SECONDS` and `LOAD_STORES` (`sqlite,memory`) change the size of the run. */
const streams = Number(process.env.LOAD_STREAMS ?? 500);
const seconds = Number(process.env.LOAD_SECONDS ?? 30);
const stores = (process.env.LOAD_STORES ?? "sqlite,memory").split(",");

/**
 * The heap is first measured after a third of the time, when it has reached its size, and may then grow by this share.
 * Each time, all answers are finished before measuring: the amount in flight depends on the machine, but a leak stays.
 */
const maxGrowth = 0.1;
/** Slots start one after another over this time, so that they do not march in step. */
const rampMs = 3_000;
const cast = ["tech_enthusiast", "skeptic", "historian"];

/** Four of ten streams ask `openai_chat`, three ask `chat`, and three are the lanes of a `multi_chat`. */
function slotKinds(): SlotKind[] {
  const groups = Math.round(streams / 10);
  const group: SlotKind[] = [
    ...Array<SlotKind>(4).fill({ type: "openai_chat", personaIds: [] }),
    ...cast.map((personaId): SlotKind => ({ type: "chat", personaIds: [personaId] })),
    { type: "multi_chat", personaIds: cast },
  ];
  return Array.from({ length: groups }, () => group).flat();
}

const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

type Memory = Awaited<ReturnType<ServerAnswers["memory"]>>;

function describeMemory({ heapUsedBytes, rssBytes, turns, logs }: Memory): string {
  return `heap ${mebibytes(heapUsedBytes)} and rss ${mebibytes(rssBytes)} with ${turns} turns and ${logs} logs`;
}

function overTooSoon(): never {
  throw new Error("the slots ended before they were told to");
}

describe(`${streams} streams at the same time for ${seconds} s`, () => {
  for (const store of stores) {
    it(`arrive whole and right, and the heap stays as it is, with ${store}`, async () => {
      const data = await mkdtemp(path.join(tmpdir(), "troupe-load-"));
      await using cleanUp = new AsyncDisposableStack();
      cleanUp.defer(() => rm(data, { recursive: true }));
      const upstream = cleanUp.use(await startChild<UpstreamAnswers>("upstream-program.ts"));
      const server = cleanUp.use(
        await startChild<ServerAnswers>("server-program.ts", {
          args: [await upstream.ask("baseUrl"), store, data, "0"],
          flags: ["--expose-gc"],
        }),
      );
      const url = await server.ask("url");
      const visitor = await connect(url);
      const stop = new AbortController();
      const kinds = slotKinds();
      const gate = createSlotGate(kinds.length);
      const slots = kinds.map(async (kind, number) => {
        await sleep((rampMs * number) / kinds.length);
        return runSlot(url, { number, kind, gate, stop: stop.signal });
      });
      const finished = Promise.all(slots);
      // A slot that throws ends every wait.
      const unlessOver = <T>(wait: Promise<T>) => Promise.race([wait, finished.then(overTooSoon)]);
      const measure = async () => {
        const busy = await server.ask("memory");
        await unlessOver(gate.close());
        // Looking for a log removes the logs whose time is over.
        visitor.send({ type: "resume", data: { request_id: "nobody", after_seq: 0 } });
        await visitor.next();
        return { busy, idle: await server.ask("memory") };
      };
      await unlessOver(sleep((seconds * 1_000) / 3));
      const early = await measure();
      gate.open();
      await unlessOver(sleep((seconds * 2_000) / 3));
      const late = await measure();
      stop.abort();
      gate.open();
      const reports = await finished;
      visitor.close();

      const texts = reports.reduce((sum, report) => sum + report.texts, 0);
      const messages = reports.reduce((sum, report) => sum + report.messages, 0);
      const traffic = await upstream.ask("traffic");
      console.log(`${store}: ${texts} texts right in ${messages} messages over ${kinds.length} connections`);
      for (const state of ["busy", "idle"] as const) {
        console.log(
          `${store}, ${state}: ${describeMemory(early[state])}, then ${describeMemory(late[state])}`,
        );
      }

      assert.deepEqual(reports.flatMap(({ wrong }) => wrong).slice(0, 20), []);
      assert.deepEqual([...(await server.ask("faults")), ...(await server.ask("warnings")).first], []);
      assert.ok(texts >= streams, "every stream gave at least one text");
      assert.equal(traffic.calls, texts);
      assert.equal(traffic.unfinished, 0);
      assert.ok(
        traffic.openConnections <= streams,
        "the connections left are idle ones, kept for later calls",
      );
      const growth = late.idle.heapUsedBytes / early.idle.heapUsedBytes - 1;
      assert.ok(growth <= maxGrowth, `the heap grew by ${(growth * 100).toFixed(1)} %`);

      // The server notices the clients' closes a little later.
      while ((await server.ask("stats")).connections > 0) await sleep(10);
      const { turns } = await server.ask("stats");
      assert.equal(turns, 0);
      await server.ask("close");
      while ((await upstream.ask("traffic")).openConnections > 0) await sleep(10);
    });
  }
});
