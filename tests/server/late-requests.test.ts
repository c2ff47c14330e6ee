import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { createDataFolder } from "../crash/data-folder.ts";
import { openBeside } from "../support/open-beside.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

test("a request that arrives during a stop is answered or refused, never ignored", async () => {
  for (let turns = 0; turns < 24; turns += 1) {
    await using place = await createDataFolder();
    const clock = createTestClock({ instantMs: 500 });
    await using server = await startTroupe({ store: "sqlite", data: place.folder, clock });
    const client = await server.connect();
    client.send({ type: "chat", id: "late", data: { message: "Hi", persona_id: "teacher" } });
    for (let turn = 0; turn < turns; turn += 1) await nextLoopTurn();
    await server.troupe.close({ drainMs: 60_000 });
    assert.equal((await client.closed).code, 1012);
    await server[Symbol.asyncDispose]();
    using database = openBeside(place.database, { readOnly: true });
    const kept = database.prepare("SELECT log IS NOT NULL AS ended FROM turns").all();
    const last = client.received.at(-1);
    const end = last?.type === "error" ? last.code : last?.type;
    const found = JSON.stringify({ turns, end, kept });
    // A request that was not read is asked again elsewhere, so no part of it may have started here.
    if (end === undefined || end === "shutting_down") assert.equal(kept.length, 0, found);
    else assert.ok(end === "response" && kept[0]?.ended === 1, found);
  }
});
