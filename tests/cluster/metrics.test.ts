import assert from "node:assert/strict";
import { test } from "node:test";
import { streamScript } from "../doubles/stream-script.ts";
import { freePort } from "../support/free-port.ts";
import { chat, events } from "./gated-cluster.ts";
import { aMoment, onLinux, startProcesses } from "./start-processes.ts";

test(
  "the first process serves the metrics of all, and keeps the counts of a killed worker",
  onLinux,
  async () => {
    const port = await freePort();
    await using system = await startProcesses(streamScript(events), { TROUPE_METRICS_PORT: String(port) });
    const read = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const { first, clients } = await system.connectBoth();
    for (const [index, client] of clients.entries()) {
      client.send(chat(`r-${index}`));
      await client.untilTerminal(`r-${index}`);
    }
    const ended = /^troupe_turns_ended_total\{kind="persona",outcome="completed",code=""\} 2$/m;
    const text = await read();
    assert.match(text, ended);
    // The first process and its two workers; the logs and the commits are the first one's.
    assert.match(text, /^troupe_processes 3$/m);
    assert.match(text, /^troupe_commit_events_total [1-9]/m);
    process.kill(first, "SIGKILL");
    while ((await system.server.workers()).includes(first)) await aMoment();
    assert.match(await read(), ended);
  },
);
