import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { connect } from "../support/wire-client.ts";
import { bin, type CliRun, startCli } from "./start-cli.ts";

/** Runs `troupe backup` with the data folder of this server. */
async function backUp(args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [bin, "backup", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  const [code] = await once(child, "close");
  return { code, output };
}

async function folder() {
  const name = await mkdtemp(path.join(tmpdir(), "troupe-backup-"));
  return { name, [Symbol.asyncDispose]: () => rm(name, { recursive: true }) };
}

async function answer(run: CliRun, id: string, message: string, conversation?: string) {
  const client = await connect(`ws://127.0.0.1:${await run.listening()}/ws`);
  const chat = { message, persona_id: "teacher", conversation_id: conversation, pacing: { mode: "raw" } };
  client.send({ type: "chat", id, data: chat });
  const end = (await client.untilTerminal(id)).at(-1);
  client.terminate();
  assert.ok(end?.type === "response");
  return end.data;
}

test("a copy made while the server runs has what was answered before, and a server starts from it", async () => {
  await using place = await folder();
  const copy = path.join(place.name, "copy.db");
  await using run = await startCli(["--port=0"]);
  const told = await answer(run, "before", "Before the copy?");
  const { code, output } = await backUp([copy], { TROUPE_DATA: run.data });
  assert.deepEqual([code, output], [0, `Copied the database to ${copy}\n`]);
  assert.equal((await stat(copy)).mode & 0o777, 0o600);
  await answer(run, "after", "After the copy?");
  // The server was not disturbed, and the copy has nothing of later.
  const restored = path.join(place.name, "data");
  await using data = await startCli(["--port=0"], { TROUPE_DATA: restored, TROUPE_STORE: "memory" });
  await data.listening();
  data.killGroup("SIGKILL");
  await data.ended;
  await copyFile(copy, path.join(restored, "troupe.db"));
  await using second = await startCli(["--port=0"], { TROUPE_DATA: restored });
  const port = await second.listening();
  const read = await fetch(`http://127.0.0.1:${port}/api/requests/before`);
  assert.equal(read.status, 200);
  assert.equal((await fetch(`http://127.0.0.1:${port}/api/requests/after`)).status, 404);
  const found = await fetch(`http://127.0.0.1:${port}/api/conversations/${String(told.conversation_id)}`);
  assert.match(await found.text(), /Before the copy\?/);
});

test("a copy of a stopped server's database is the same, and an existing file is kept", async () => {
  await using place = await folder();
  await using run = await startCli(["--port=0"]);
  await answer(run, "r", "Hello");
  run.child.kill("SIGTERM");
  await run.ended;
  const copy = path.join(place.name, "copy.db");
  assert.equal((await backUp([copy, `--data=${run.data}`], {})).code, 0);
  const before = await stat(copy);
  const again = await backUp([copy, `--data=${run.data}`], {});
  assert.deepEqual([again.code, again.output], [1, `troupe: ${copy}: there is a file already\n`]);
  assert.equal((await stat(copy)).mtimeMs, before.mtimeMs);
  assert.equal(existsSync(`${copy}.partial`), false);
});

test("what cannot be copied is refused in one line", async () => {
  await using place = await folder();
  const copy = path.join(place.name, "copy.db");
  for (const [args, env, line] of [
    [[], {}, /name the file/],
    [[copy], { TROUPE_DATA: place.name }, /there is no database/],
    [[copy], { TROUPE_STORE: "memory" }, /TROUPE_STORE=memory has no database/],
    [[copy], { TROUPE_DATABASE_URL: "postgres://u:secret@h/d" }, /pg_dump/],
  ] as const) {
    const { code, output } = await backUp(args, { ...env });
    assert.equal(code, 1);
    assert.match(output, line);
    assert.match(output, /^troupe: [^\n]+\n$/);
    assert.doesNotMatch(output, /secret/);
    assert.equal(existsSync(copy), false);
  }
});
