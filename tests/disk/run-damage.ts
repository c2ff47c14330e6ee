import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { questionOf } from "../crash/numbered-answer.ts";
import { createServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import { connect } from "../support/wire-client.ts";

/** The path of a killed server's write-ahead log, and its length when the answers that must be kept had ended. */
export interface KilledServer {
  readonly walFile: string;
  readonly sharedMemoryFile: string;
  readonly keptBytes: number;
}

const ask = (id: string) => ({
  type: "chat",
  id,
  data: {
    message: questionOf(id),
    persona_id: "teacher",
    conversation_id: "new",
    pacing: { mode: "raw" },
  },
});

/**
 * Kills a real server, damages its files and starts it again. Rejects unless the server starts, replays the answers that
 * ended before the damaged part word for word, and answers new requests. Returns the number of replayed messages, and the
 * server's log lines about errors.
 */
export async function runDamage(damage: (killed: KilledServer) => Promise<void>) {
  await using place = await createDataFolder();
  await using upstream = await createCountingUpstream({ delayMs: () => 1 });
  const server = createServerProcess({
    environment: troupeEnvironment({ data: place.folder, upstreamUrl: upstream.baseUrl }),
  });
  const walFile = `${place.database}-wal`;
  const ids = ["first", "second", "third"];
  const told = new Map<string, readonly ServerMessage[]>();
  server.start();
  try {
    await server.listening();
    const client = await connect(server.url ?? "");
    for (const id of ids) {
      client.send(ask(id));
      told.set(id, await client.untilTerminal(id));
    }
    const { size: keptBytes } = await stat(walFile);
    client.send(ask("behind"));
    await client.untilTerminal("behind");
    await server.kill();
    await damage({ walFile, sharedMemoryFile: `${place.database}-shm`, keptBytes });

    server.start();
    await server.listening();
    const back = await connect(server.url ?? "");
    for (const id of ids) {
      back.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
      assert.deepEqual((await back.untilTerminal(id)).slice(1), told.get(id));
    }
    back.send(ask("afterwards"));
    assert.equal((await back.untilTerminal("afterwards")).at(-1)?.type, "response");
    back.terminate();
    assert.equal(await server.stop(), 0);
    const replayed = [...told.values()].reduce((sum, messages) => sum + messages.length, 0);
    return { replayed, faults: server.faults };
  } finally {
    await server.kill();
  }
}
