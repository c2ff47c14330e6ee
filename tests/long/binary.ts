import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { root } from "../../scripts/repository.ts";
import { startCommand } from "../cli/start-cli.ts";
import { aMoment } from "../cluster/start-processes.ts";
import { freePort } from "../support/free-port.ts";
import { connect } from "../support/wire-client.ts";
import { startRedis, withRedis } from "./peers/redis-process.ts";
import { emptyDatabase, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { spyOnMessages } from "./postgres/spy-on-messages.ts";

describe("the executable of `npm run build:binary`", () => {
  let folder = "";
  let binary = "";

  before(async () => {
    execFileSync(process.execPath, ["scripts/build-binary.js"], { cwd: root, stdio: "pipe" });
    // Alone in a folder, so that nothing of the repository helps it.
    folder = await mkdtemp(path.join(tmpdir(), "troupe-binary-"));
    binary = path.join(folder, "troupe");
    await copyFile(path.join(root, "artifacts/binary/troupe"), binary);
  });
  after(() => rm(folder, { recursive: true }));
  after(stopShared);

  for (const workers of [1, 2])
    it(`answers a chat, and serves its page, with TROUPE_WORKERS=${workers}`, async () => {
      const metricsPort = await freePort();
      const environment = { TROUPE_WORKERS: `${workers}`, TROUPE_METRICS_PORT: `${metricsPort}` };
      await using run = await startCommand([binary, "--port=0"], environment, folder);
      const port = await run.listening();
      const client = await connect(`ws://127.0.0.1:${port}/ws`);
      const data = { message: "Hello", persona_id: "teacher", pacing: { mode: "raw" } };
      client.send({ type: "chat", id: "r", data });
      const end = (await client.untilTerminal("r")).at(-1);
      assert.ok(end?.type === "response" && end.status === "completed");
      client.terminate();
      assert.match(await (await fetch(`http://127.0.0.1:${port}/`)).text(), /troupe-config/);
      const processes = async () =>
        /^troupe_processes (\d+)$/m.exec(
          await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text(),
        )?.[1];
      while ((await processes()) !== `${workers === 1 ? 1 : workers + 1}`) await aMoment();
      run.child.kill("SIGTERM");
      assert.equal(await run.ended, 0);
    });

  it("is a node on PostgreSQL and Redis", { skip: withPostgres.skip || withRedis.skip }, async () => {
    await using redis = await startRedis();
    const databaseUrl = await emptyDatabase();
    const environment = { TROUPE_DATABASE_URL: databaseUrl, REDIS_URL: redis.url };
    await using spy = await spyOnMessages(databaseUrl, redis.url);
    // With its workers it is two nodes.
    const workers = { ...environment, TROUPE_WORKERS: "2" };
    await using first = await startCommand([binary, "--port=0"], workers, folder);
    await using second = await startCommand([binary, "--port=0"], environment, folder);
    const [asking, following] = await Promise.all(
      [first, second].map(async (run) => connect(`ws://127.0.0.1:${await run.listening()}/ws`)),
    );
    assert.ok(asking !== undefined && following !== undefined);
    asking.send({ type: "chat", id: "r", data: { message: "Hello", persona_id: "teacher" } });
    await asking.next(({ type }) => type === "chunk");
    following.send({ type: "resume", data: { request_id: "r", after_seq: 0 } });
    const [told, followed] = await Promise.all(
      [asking, following].map((client) => client.untilTerminal("r")),
    );
    assert.ok(told?.at(-1)?.type === "response");
    assert.deepEqual(followed?.slice(1), told);
    assert.ok(spy.counts("rows").redis > 0);
    const nodes = async () => (await runOn(databaseUrl, "SELECT FROM nodes")).length;
    while ((await nodes()) < 3) await aMoment();
    first.child.kill("SIGTERM");
    assert.equal(await first.ended, 0);
    assert.equal(await nodes(), 1);
  });

  it("copies its database", async () => {
    await using run = await startCommand([binary, "--port=0"], {}, folder);
    await run.listening();
    execFileSync(binary, ["backup", "copy.db"], {
      cwd: folder,
      env: { TROUPE_DATA: run.data },
      stdio: "pipe",
    });
    assert.throws(
      () => execFileSync(binary, ["backup"], { cwd: folder, env: {}, stdio: "pipe" }),
      /name the file/,
    );
  });
});
