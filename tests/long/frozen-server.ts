import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { plainAsks } from "../crash/every-commit.ts";
import { createServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import { connect } from "../support/wire-client.ts";

/** Milliseconds of silence that end an answer. The server stands still for longer than that. */
const idleMs = 1_500;
const frozenMs = 4_000;
const streams = 20;

it(`a server that stands still for ${frozenMs} ms ends no answer whose data is waiting`, async () => {
  await using place = await createDataFolder();
  await using upstream = await createCountingUpstream({ delayMs: () => 100 });
  const server = createServerProcess({
    environment: {
      ...troupeEnvironment({ data: place.folder, upstreamUrl: upstream.baseUrl }),
      TROUPE_IDLE_MS: String(idleMs),
    },
  });
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => server.kill());
  server.start();
  await server.listening();
  const client = await connect(server.url ?? "");
  cleanUp.defer(() => client.terminate());
  const ids = Array.from({ length: streams }, (_, index) => `frozen-${index}`);
  for (const id of ids) client.send(plainAsks.openai_chat(id).frame);
  await client.next((message) => message.type === "chunk");
  process.kill(server.pid, "SIGSTOP");
  await sleep(frozenMs);
  process.kill(server.pid, "SIGCONT");
  for (const id of ids) {
    const end = (await client.untilTerminal(id)).at(-1);
    assert.equal(end?.type, "response", JSON.stringify(end));
  }
  assert.equal(upstream.calls, streams);
  assert.deepEqual(server.faults, []);
  await server.stop();
});
