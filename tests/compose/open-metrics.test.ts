import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "../../src/adapters/prometheus/metrics.ts";
import { openMetrics } from "../../src/compose/open-metrics.ts";
import { createTestClock } from "../support/test-clock.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: assert.fail };
const settings = { port: 0, metricsHost: "127.0.0.1", models: ["m-1"] };

/** Serves the metrics of a process that adds up others. */
async function serve() {
  const clock = createTestClock();
  const said: string[] = [];
  const opened = openMetrics(settings, { logger: silent, clock, say: (line) => void said.push(line) });
  const listening = await opened.serve();
  const url = `http://127.0.0.1:${listening.port}`;
  return {
    ...{ clock, opened, url, said },
    read: async () => (await fetch(`${url}/metrics`)).text(),
    async [Symbol.asyncDispose]() {
      await listening.stop(Promise.resolve());
      opened[Symbol.dispose]();
    },
  };
}

test("the address says where it is, and serves nothing else", async () => {
  await using at = await serve();
  assert.deepEqual(at.said, [`  metrics   ${at.url}/metrics\n`]);
  const response = await fetch(`${at.url}/metrics?debug=1`);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.match(await response.text(), /^troupe_processes 1$/m);
  assert.equal((await fetch(`${at.url}/`)).status, 404);
  assert.equal((await fetch(`${at.url}/metrics`, { method: "POST" })).status, 405);
});

test("other processes are added up, and what an ended one has counted stays", async () => {
  await using at = await serve();
  using worker = createMetrics({ models: [] });
  using next = createMetrics({ models: [] });
  const end = Promise.withResolvers<void>();
  at.opened.addProcess(worker.snapshot, end.promise);
  at.opened.observer.connectionOpened?.({ door: "websocket" });
  for (let index = 0; index < 4; index += 1) worker.observer.connectionOpened?.({ door: "websocket" });
  assert.match(await at.read(), /^troupe_sockets_opened_total 5$/m);
  end.resolve();
  at.opened.addProcess(next.snapshot, new Promise(() => undefined));
  next.observer.connectionOpened?.({ door: "websocket" });
  for (let again = 0; again < 2; again += 1) {
    const text = await at.read();
    assert.match(text, /^troupe_sockets_opened_total 6$/m);
    // Its sockets are gone with it.
    assert.match(text, /^troupe_sockets_open 2$/m);
    assert.match(text, /^troupe_processes 2$/m);
  }
});

test("a process that does not answer counts with its last figures, and one that is gone as well", async () => {
  await using at = await serve();
  using worker = createMetrics({ models: [] });
  let answer = worker.snapshot;
  at.opened.addProcess(() => answer(), new Promise(() => undefined));
  worker.observer.warned?.({ message: "" });
  assert.match(await at.read(), /^troupe_warnings_total 1$/m);
  answer = () => Promise.reject(new Error("The other process is gone."));
  assert.match(await at.read(), /^troupe_warnings_total 1$/m);
  const asked = Promise.withResolvers<void>();
  answer = () => {
    asked.resolve();
    return new Promise(() => undefined);
  };
  const late = at.read();
  await asked.promise;
  await at.clock.advance(1_000);
  assert.match(await late, /^troupe_warnings_total 1$/m);
});
