import assert from "node:assert/strict";
import { test } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { bearer, startKeySystem } from "../support/key-system.ts";
import { openBeside } from "../support/open-beside.ts";
import { createTestClock } from "../support/test-clock.ts";
import { replay } from "./interrupted-server.ts";

test("a crash right after a revocation revives no turn of the key", async () => {
  await using before = await createDataFolder();
  await using after = await createDataFolder();
  await using upstream = await createUpstreamDouble();
  upstream.respond([...streamScript(answer({ deltas: ["Half ", "an answer"] }).slice(0, 6)), { hang: true }]);
  const options = { store: "sqlite", openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl } as const;
  await using system = await startKeySystem({
    ...options,
    data: before.folder,
    clock: createTestClock({ instantMs: 1_000 }),
  });
  const [gone, stays] = [await system.makeKey("ada"), await system.makeKey("ada")];
  const client = await system.server.connect(bearer(gone.key));
  client.send({
    type: "chat",
    id: "r",
    data: { message: "Hi", persona_id: "teacher", pacing: { mode: "raw" }, on_interrupt: "restart" },
  });
  await client.next((message) => message.type === "chunk");
  {
    using source = openBeside(before.database);
    source.exec(`VACUUM INTO '${after.database}'`);
    using crashed = openBeside(after.database);
    crashed.prepare("UPDATE keys SET digest = NULL, revoked_at_ms = 1 WHERE id = ?").run(gone.id);
  }

  await using next = await startKeySystem({
    ...options,
    data: after.folder,
    clock: createTestClock({ instantMs: 1_000 }),
  });
  const end = (await replay(await next.server.connect(bearer(stays.key)), "r")).at(-1);
  assert.ok(end?.type === "response" && end.status === "cancelled");
  assert.equal(upstream.requests.length, 1);
});
