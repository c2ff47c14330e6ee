import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chat, events } from "../cluster/gated-cluster.ts";
import { startProcesses } from "../cluster/start-processes.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { freePort } from "../support/free-port.ts";
import { runPromtool, withPromtool } from "../support/promtool.ts";
import { connect } from "../support/wire-client.ts";

for (const workers of ["1", "2"])
  describe(`the metrics of a server with TROUPE_WORKERS=${workers}`, withPromtool, () => {
    it("pass Prometheus' own checker after answers and refusals", async () => {
      const port = await freePort();
      const settings = { TROUPE_METRICS_PORT: String(port), TROUPE_WORKERS: workers };
      await using system = await startProcesses(streamScript(events), settings);
      const client = await connect(system.server.url ?? "");
      client.send(chat("r"));
      await client.untilTerminal("r");
      client.send({ type: "unknown" });
      await client.next((message) => message.type === "error");
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      assert.match(text, /^troupe_turns_ended_total/m);
      assert.match(text, /^troupe_refusals_total\{/m);
      client.terminate();
      assert.equal(runPromtool(["check", "metrics"], text), "");
    });
  });
