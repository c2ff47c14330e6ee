import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createModelServer, listing } from "../doubles/model-server.ts";

const bin = fileURLToPath(new URL("../../bin/troupe.js", import.meta.url));

/** Starts the command line in a folder with this `.env`, waits until it names its provider, and returns its output. */
async function startIn(envFile: string, env: Record<string, string> = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-cli-"));
  await writeFile(path.join(folder, ".env"), envFile);
  const child = spawn(process.execPath, [bin], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { output: "", errors: "" };
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said.errors += text;
  });
  child.stdout.setEncoding("utf8").on("data", (text) => {
    said.output += text;
    if (said.output.includes("provider")) child.kill("SIGTERM");
  });
  await once(child, "close");
  await rm(folder, { recursive: true });
  return { ...said, exitCode: child.exitCode };
}

test("settings of .env count, the environment goes before them, and slips in both are told once each", async () => {
  await using models = await createModelServer({ list: listing("phi4") });
  const file = [
    "PORT=0",
    "HOST=127.0.0.1",
    "TROUPE_MODLE=phi4",
    `TROUPE_LOCAL_PROVIDERS=${models.baseUrl}/`,
    "TROUPE_WORKERS=2",
    "LOG_LEVEL: debug",
  ];
  for (const workers of ["1", "2"]) {
    const { output, errors, exitCode } = await startIn(file.join("\n"), {
      TROUPE_WORKERS: workers,
      OPENAI_KEY: "s3cret",
    });
    assert.match(output, /^Troupe listens on ws:\/\/127\.0\.0\.1:\d+\/ws\n/);
    assert.match(
      output,
      /provider {2}api "openai" is answered by the local server at 127\.0\.0\.1:\d+ \(phi4\)\n/,
    );
    assert.deepEqual(
      errors.split("\n").filter((line) => line.startsWith("troupe: ")),
      [
        "troupe: .env: line 6 names LOG_LEVEL and sets nothing; write LOG_LEVEL=value",
        "troupe: OPENAI_KEY is no setting of Troupe and changes nothing; did you mean OPENAI_API_KEY?",
        "troupe: TROUPE_MODLE in .env is no setting of Troupe and changes nothing; did you mean TROUPE_MODEL?",
      ],
    );
    assert.equal(exitCode, 0);
  }
});

test("a fault in .env ends the start with one line and status 1", async () => {
  const { errors, output, exitCode } = await startIn("OPENAI_API_KEY='\"sk-s3cret\"'\n");
  assert.equal(errors, "troupe: OPENAI_API_KEY in .env: it has quotes around it; leave them out\n");
  assert.deepEqual([output, exitCode], ["", 1]);
});
