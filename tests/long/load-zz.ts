import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startChild } from "./load/child-program.ts";
import { runSlot, type SlotKind } from "./load/load-slot.ts";
import type { ServerAnswers } from "./load/server-program.ts";
import type { UpstreamAnswers } from "./load/upstream-program.ts";

/** `LOAD_STREAMS`, `LOAD_SECONDS` and `LOAD_STORES` (`sqlite,memory`) change the size of the run. */
const streams = Number(process.env.LOAD_STREAMS ?? 500);
const seconds = Number(process.env.LOAD_SECONDS ?? 30);
const stores = (process.env.LOAD_STORES ?? "sqlite,memory").split(",");

/** The heap is first measured after a third of the time, when it has reached its size, and may then grow by so much. */
const mostGrowth = 0.1;
/** Slots begin one after another over this time, so that they do not march in step. */
const rampMs = 3_000;
const cast = ["tech_enthusiast", "skeptic", "historian"];

/** Four of ten streams ask `openai_chat`, three `chat`, three are the lanes of a `multi_chat`. */
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

describe(`${streams} streams at the same time for ${seconds} s`, () => {
  for (const store of stores) {
    it(`come whole and right, and the heap stays as it is, with ${store}`, async () => {
      const data = await mkdtemp(path.join(tmpdir(), "troupe-load-"));
      await using cleanUp = new AsyncDisposableStack();
      cleanUp.defer(() => rm(data, { recursive: true }));
      const upstream = cleanUp.use(await startChild<UpstreamAnswers>("upstream-program.ts"));
      const server = cleanUp.use(
        await startChild<ServerAnswers>("server-program.ts", {
          args: [await upstream.ask("baseUrl"), store, data],
          flags: ["--expose-gc"],
        }),
      );
      const url = await server.ask("url");
      const stop = new AbortController();
      const kinds = slotKinds();
      const slots = kinds.map(async (kind, number) => {
        await sleep((rampMs * number) / kinds.length);
        return runSlot(url, { number, kind, stop: stop.signal });
      });
      const finished = Promise.all(slots);
      // A slot that throws ends the wait; without one, the time passes.
      const wait = (ms: number) => Promise.race([sleep(ms), finished]);
      await wait((seconds * 1_000) / 3);
      const early = await server.ask("memory");
      await wait((seconds * 2_000) / 3);
      for (let i=0;i<Number(process.env.EXTRA??0);i+=1) { const m = await server.ask("memory"); console.log(i, mebibytes(m.heapUsedBytes), mebibytes(m.rssBytes), m.turns, m.logs, mebibytes(m.logBytes)); await wait(10000); }
      const late = await server.ask("memory");
      stop.abort();
      const reports = await finished;

      const texts = reports.reduce((sum, report) => sum + report.texts, 0);
      const messages = reports.reduce((sum, report) => sum + report.messages, 0);
      const traffic = await upstream.ask("traffic");
      const growth = late.heapUsedBytes / early.heapUsedBytes - 1;
      console.log(`${store}: ${texts} texts right in ${messages} messages over ${kinds.length} connections`);
      for (const { heapUsedBytes, rssBytes, turns, logs, logBytes } of [early, late]) {
        console.log(
          `${store}: heap ${mebibytes(heapUsedBytes)}, rss ${mebibytes(rssBytes)}, ${turns} turns, ${logs} logs of ${mebibytes(logBytes)}`,
        );
      }
      console.log(`${store}: the heap grew by ${(growth * 100).toFixed(1)} %`);

      assert.deepEqual(reports.flatMap(({ wrong }) => wrong).slice(0, 20), []);
      assert.deepEqual((await server.ask("faults")).slice(0, 20), []);
      assert.ok(texts >= streams, "every stream gave at least one text");
      assert.equal(traffic.calls, texts);
      assert.equal(traffic.unfinished, 0);
      assert.ok(
        traffic.openConnections <= streams,
        "the connections left are idle ones, kept for later calls",
      );
      assert.ok(growth <= mostGrowth, `the heap grew by ${(growth * 100).toFixed(1)} %`);

      // The server hears of the clients' closes when it gets to them.
      while ((await server.ask("stats")).connections > 0) await sleep(10);
      const { turns } = await server.ask("stats");
      assert.equal(turns, 0);
      await server.ask("close");
      while ((await upstream.ask("traffic")).openConnections > 0) await sleep(10);
    });
  }
});
