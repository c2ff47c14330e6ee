import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { connect } from "../support/wire-client.ts";
import { bin, startCommand } from "./start-cli.ts";

/** A folder with a `troupe.json` and a `.env`. */
async function folderWith(config: object, env = "") {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-config-"));
  await writeFile(path.join(folder, "troupe.json"), JSON.stringify(config));
  await writeFile(path.join(folder, ".env"), env);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

const address = { PORT: "0", HOST: "127.0.0.1" };

for (const workers of ["1", "2"])
  test(`troupe.json of the working folder names the endpoints, with ${workers} processes`, async () => {
    await using upstream = await createUpstreamDouble({ models: ["house-1"] });
    await using place = await folderWith(
      { providers: { house: { kind: "responses", baseUrl: upstream.baseUrl, key: `\${HOUSE_KEY}` } } },
      "HOUSE_KEY=house-key-0123456789",
    );
    const env = { ...address, TROUPE_WORKERS: workers };
    await using run = await startCommand([process.execPath, bin], env, place.folder);
    const client = await connect(`ws://127.0.0.1:${await run.listening()}/ws`);
    assert.match(run.output(), /provider {2}api "house" is answered by 127\.0\.0\.1:\d+ \(house-1\)\n/);
    client.send({ type: "openai_chat", data: { input_text: "Hi" } });
    assert.equal((await client.untilTerminal()).at(-1)?.type, "response");
    client.terminate();
    const [call] = upstream.requests;
    assert.equal(call?.headers.authorization, "Bearer house-key-0123456789");
  });

test("a config file that cannot be used is one line, with the place and without the key", async () => {
  await using place = await folderWith({ providers: { groq: { key: "s3cret-key\n" } } });
  await using run = await startCommand([process.execPath, bin], address, place.folder);
  assert.equal(await run.ended, 1);
  const line = "troupe: troupe.json: providers.groq.key has a line break after it; leave it out\n";
  assert.deepEqual([run.errors(), run.output()], [line, ""]);
});

for (const command of [[], ["doctor"]])
  test(`${command[0] ?? "the start"} tells in one line if the config file leaves OPENAI_TRANSPORT without use`, async () => {
    await using upstream = await createUpstreamDouble({ models: ["gpt-4o-mini"] });
    await using place = await folderWith({
      providers: { openai: { kind: "chat-completions", baseUrl: upstream.baseUrl } },
    });
    const openai = { OPENAI_API_KEY: "key-of-a-test", OPENAI_TRANSPORT: "websocket" };
    await using run = await startCommand(
      [process.execPath, bin, ...command],
      { ...address, ...openai },
      place.folder,
    );
    if (command.length > 0) await run.ended;
    else await run.listening();
    const line =
      "troupe: OPENAI_TRANSPORT=websocket changes nothing: providers.openai of the config file has the kind chat-completions, whose calls travel over HTTP\n";
    assert.equal(run.errors().split(line).length, 2, run.errors());
  });
