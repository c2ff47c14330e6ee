import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { bin, startCommand } from "./start-cli.ts";

test("troupe doctor ends with 0 if something can answer, and with 1 if nothing can", async () => {
  await using upstream = await createUpstreamDouble({ models: ["house-1"] });
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-doctor-"));
  const doctor = [process.execPath, bin, "doctor", "--log-level", "silent"];
  {
    await using run = await startCommand(doctor, {}, folder);
    assert.equal(await run.ended, 1);
    assert.match(run.output(), /^No key is set, .*\nEvery answer would be a scripted demonstration\.\n/);
  }
  const providers = { house: { kind: "responses", baseUrl: upstream.baseUrl, key: "house-key-0123456789" } };
  await writeFile(path.join(folder, "troupe.json"), JSON.stringify({ providers }));
  {
    await using run = await startCommand(doctor, {}, folder);
    assert.equal(await run.ended, 0);
    assert.match(run.output(), /^ {2}ready {3}house {2}127\.0\.0\.1:\d+ answers with house-1\n/);
    assert.equal(run.errors(), "");
  }
  {
    const fallback = { TROUPE_FALLBACK: "house>groq", TROUPE_PRICES: "house-1=1/2" };
    await using run = await startCommand(doctor, fallback, folder);
    assert.equal(await run.ended, 0);
    assert.match(
      run.output(),
      /\n\nFallback of house: 1 of 2 links can answer\.\n {2}ready {3}house\/house-1 {2}costs \$1 .*\n {2}missing groq /,
    );
  }
  await rm(folder, { recursive: true });
});
