import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, describe, it } from "node:test";
import { haproxy } from "../../scripts/cluster/balancer.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { type ClusterProcess, startCluster } from "./page/cluster-process.ts";
import { openPlayground } from "./page/playground.ts";
import { hasRedis } from "./peers/redis-process.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

after(closeBrowser);

const needed = haproxy !== undefined && hasRedis();
const withCluster = {
  skip:
    withBrowser.skip || withPostgres.skip || (!needed && process.env.CI !== "true" && "no HAProxy or Redis"),
};

/** The process of the node that runs a turn. */
async function runningNode({ nodes }: ClusterProcess): Promise<number> {
  for (const { pid, metricsUrl } of nodes) {
    const metrics = await (await fetch(metricsUrl)).text();
    if (/^troupe_turns_running\S* [1-9]/m.test(metrics)) return pid;
  }
  throw new Error("no node runs a turn");
}

describe("npm run cluster", withCluster, () => {
  it("serves a page that goes on by itself when the node that streams is killed, and leaves nothing", async () => {
    await using cluster = await startCluster();
    assert.equal(cluster.nodes.length, 3);
    await using context = await openContext();
    const playground = await openPlayground(context, cluster.httpUrl);
    await playground.fill("on_interrupt", "restart");
    await playground.choose("multi_chat");
    await playground.send();
    await playground.untilText(60);
    const pid = await runningNode(cluster);
    process.kill(pid, "SIGKILL");
    await playground.untilTurn("completed");
    await playground.screenshot("cluster");
    assert.equal((await playground.texts()).length, 3);
    assert.ok(playground.received.some((message) => message.type === "reset"));
    await cluster.untilLine(/^node-\d ended \(SIGKILL\)/);
    await cluster.untilLine(/^node-\d is back/);

    // The second answer is of any node, among them the one that came back.
    await playground.send();
    await playground.untilTurn("completed");
    assert.equal(await cluster.interrupt(), 0);
    assert.equal(existsSync(cluster.folder), false);
    for (const node of cluster.nodes) assert.throws(() => process.kill(node.pid, 0));
  });
});
