import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { createDataFolder } from "../crash/data-folder.ts";
import { createMortalThreads } from "../crash/mortal-threads.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const canary = "zqxjkv";

/** Number of rows in the database with parts of the conversation. */
function rowsIn(file: string): number {
  using database = openBeside(file, { readOnly: true });
  const row = database
    .prepare(`SELECT (SELECT count(*) FROM turns) + (SELECT count(*) FROM messages)
      + (SELECT count(*) FROM journal WHERE entries LIKE '%${canary}%') AS n`)
    .get();
  return Number(row?.n);
}

async function startPlace() {
  const stack = new AsyncDisposableStack();
  const threads = stack.use(createMortalThreads());
  const place = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  const script = streamScript(answer({ deltas: [`${canary} one `, `${canary} two`] }));
  upstream.respond((_, index) => (index === 0 ? script : [...script.slice(0, 7), { hang: true }]));
  const start = () =>
    startTroupe({
      store: "sqlite",
      data: place.folder,
      clock: { ...createTestClock({ instantMs: 9_000 }), newId: () => crypto.randomUUID() },
      openaiApiKey: "k",
      openaiBaseUrl: upstream.baseUrl,
    });
  return { threads, place, start, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Deletes a conversation with one ended and one running request, on a server that then dies in place of its n-th commit. */
async function deleteAndDie(at: Awaited<ReturnType<typeof startPlace>>, nth: number) {
  await using server = await at.start();
  const client = await server.connect();
  const data = {
    message: `${canary}?`,
    persona_id: "teacher",
    pacing: { mode: "raw" },
    on_interrupt: "restart",
  };
  client.send({ type: "chat", id: "ended", data: { ...data, conversation_id: "new" } });
  const end = (await client.untilTerminal("ended")).at(-1);
  assert.ok(end?.type === "response" && end.request_type === "chat");
  const { conversation_id } = end.data;
  client.send({ type: "chat", id: "runs", data: { ...data, conversation_id } });
  await client.next((message) => message.type === "chunk" && message.request_id === "runs");
  at.threads.dieAt({ nth });
  const reply = await fetch(`${server.httpUrl}/api/conversations/${conversation_id}`, { method: "DELETE" });
  const { died } = at.threads;
  at.threads.dieAt(undefined);
  return { conversation_id, died, status: reply.status };
}

describe("a deletion in the middle of which the server dies", () => {
  it("leaves nothing after the restart, or is finished by a second one, for a crash before any commit", async () => {
    const outcomes = new Set<string>();
    for (let nth = 1; ; nth += 1) {
      await using at = await startPlace();
      const { conversation_id, died, status } = await deleteAndDie(at, nth);
      assert.ok(died || status === 204);
      await using server = await at.start();
      const address = `${server.httpUrl}/api/conversations/${conversation_id}`;
      const isThere = (await fetch(address)).status === 200;
      outcomes.add(isThere ? "still there" : "gone");
      // The conversation is there only if it is not deleted yet; nothing in between exists.
      if (isThere) assert.equal((await fetch(address, { method: "DELETE" })).status, 204);
      for (let tries = 0; rowsIn(at.place.database) > 0; tries += 1) {
        assert.ok(tries < 1_000, `${nth}: ${rowsIn(at.place.database)} rows are left`);
        await nextLoopTurn();
      }
      assert.equal((await fetch(address)).status, 404);
      assert.equal((await fetch(address, { method: "DELETE" })).status, 404);
      for (const id of ["ended", "runs"])
        assert.equal((await fetch(`${server.httpUrl}/api/requests/${id}`)).status, 404);
      if (!died) break;
    }
    assert.deepEqual([...outcomes].sort(), ["gone", "still there"]);
  });
});
