import assert from "node:assert/strict";
import { it } from "node:test";
import { runClientCuts } from "../crash/run-client-cuts.ts";
import { report } from "./record/report.ts";

/** `CUTS` and `CUTS_STREAMS` make the run longer; `CUTS_SEED` repeats its random choices. */
const cuts = Number(process.env.CUTS ?? 300);
const streams = Number(process.env.CUTS_STREAMS ?? 50);
const seed = Number(process.env.CUTS_SEED ?? 1);

it(`${cuts} cut connections under ${streams} streams, seed ${seed}`, async () => {
  const { figures, findings } = await runClientCuts({ cuts, streams, seed });
  report({
    program: "client-cuts",
    settings: { CUTS: cuts, CUTS_STREAMS: streams, CUTS_SEED: seed },
    figures,
    findings,
  });
  assert.ok(Number(figures["followings cut in the middle"]) > 0);
  assert.ok(Number(figures["of them in a replay"]) > 0);
  assert.equal(findings.total, 0);
  assert.equal(figures["requests left running"], 0);
  assert.equal(figures["connections left open"], 0);
});
