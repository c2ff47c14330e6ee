import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { root } from "../../scripts/repository.ts";

const haproxy = ["/usr/sbin/haproxy"].find((file) => existsSync(file));
/** On CI it must be there. Elsewhere the tests are skipped without it. */
const withHaproxy = { skip: haproxy === undefined && process.env.CI !== "true" && "no haproxy" };

describe("HAProxy", withHaproxy, () => {
  it("accepts the configuration of the Compose file", () => {
    const file = path.join(root, "deploy/haproxy.cfg");
    const { status, stderr } = spawnSync(haproxy ?? "haproxy", ["-c", "-f", file], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });
});
