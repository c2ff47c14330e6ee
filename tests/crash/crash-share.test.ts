import assert from "node:assert/strict";
import { it } from "node:test";
import { runClientCuts } from "./run-client-cuts.ts";
import { runCrashes } from "./run-crashes.ts";
import { formatRun } from "./verdict.ts";

// The quick part of tests/long/crash-recovery.ts and tests/long/client-cuts.ts.
it("killed and started again, a server keeps everything its clients saw and ends the open requests", async () => {
  const { figures, findings } = await runCrashes({ kills: 2, streams: 10, seed: 7, maxServingMs: 700 });
  assert.equal(findings.total, 0, formatRun(figures, findings));
});

it("clients that are cut off anywhere get everything they asked for", async () => {
  const { figures, findings } = await runClientCuts({ cuts: 30, streams: 10, seed: 7 });
  assert.equal(findings.total, 0, formatRun(figures, findings));
});
