import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { readSnippets } from "../../scripts/snippets.ts";
import { startCli } from "../cli/start-cli.ts";
import { connect } from "../support/wire-client.ts";
import { startPostgres, withPostgres } from "./postgres/postgres-server.ts";

/** Runs the commands of a snippet as an operator would, in a folder. */
function runSnippet(name: string, cwd: string, databaseUrl: string): void {
  const { code = "" } = readSnippets("docs/scale-out.md").find((snippet) => snippet.name === name) ?? {};
  const env = { ...process.env, TROUPE_DATABASE_URL: databaseUrl };
  const { status, stderr } = spawnSync("sh", ["-e", "-c", code], { cwd, env, encoding: "utf8" });
  assert.ok(code !== "" && status === 0, stderr);
}

async function answer(port: number, id: string): Promise<void> {
  const client = await connect(`ws://127.0.0.1:${port}/ws`);
  client.send({ type: "chat", id, data: { message: id, persona_id: "teacher", pacing: { mode: "raw" } } });
  const end = (await client.untilTerminal(id)).at(-1);
  assert.equal(end?.type, "response");
  client.terminate();
}

describe("the written way to copy a PostgreSQL database", withPostgres, () => {
  it("copies it while the server runs, and restores it over later data", async () => {
    await using postgres = await startPostgres();
    const url = await postgres.createDatabase();
    const folder = await mkdtemp(path.join(tmpdir(), "troupe-dump-"));
    try {
      {
        await using server = await startCli(["--port=0"], { TROUPE_DATABASE_URL: url });
        const port = await server.listening();
        await answer(port, "before");
        runSnippet("postgres-backup", folder, url);
        await answer(port, "after");
        server.child.kill("SIGTERM");
        assert.equal(await server.ended, 0);
      }
      runSnippet("postgres-restore", folder, url);
      await using server = await startCli(["--port=0"], { TROUPE_DATABASE_URL: url });
      const port = await server.listening();
      const status = async (id: string) =>
        (await fetch(`http://127.0.0.1:${port}/api/requests/${id}`)).status;
      assert.deepEqual([await status("before"), await status("after")], [200, 404]);
      await answer(port, "after");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
