import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { stringify } from "yaml";
import { root } from "../../scripts/repository.ts";
import { dashboardQueries } from "../deploy/read-files.ts";
import { runPromtool, withPromtool } from "../support/promtool.ts";

describe("Prometheus' own checker", withPromtool, () => {
  it("reads the configuration with its alerts, and every query of the dashboard", async () => {
    const configured = runPromtool(["check", "config", path.join(root, "deploy/prometheus.yaml")]);
    assert.equal(configured, "");
    const folder = await mkdtemp(path.join(tmpdir(), "troupe-rules-"));
    const file = path.join(folder, "rules.yaml");
    const check = async (queries: readonly string[]) => {
      const rules = queries.map((expr, index) => ({ record: `query:number_${index}`, expr }));
      await writeFile(file, stringify({ groups: [{ name: "dashboard", rules }] }));
      return runPromtool(["check", "rules", file]);
    };
    try {
      assert.equal(await check(dashboardQueries().map(({ query }) => query)), "");
      assert.notEqual(await check(["rate(troupe_turns_running)"]), "");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
