import assert from "node:assert/strict";
import { test } from "node:test";
import { Hold } from "../../src/ports/fair-shares.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { Ask } from "../../src/server/start-turn.ts";
import { startHeld } from "../doors/websocket/held-server.ts";
import { until } from "../support/until.ts";

/** As many as the held server has places. */
const places = 10;

const ask = (id: string): Ask => ({
  caller: { owner: "ada", keyId: "k", limits: {} },
  id,
  hold: () => new Hold([], 0),
  isNamed: true,
  request: {
    kind: "responses",
    input: [textMessage("user", "Hi")],
    includeReasoning: false,
    options: {},
    pacing: { mode: "raw", chunkChars: 50, intervalMs: 100, maxLagMs: 400 },
  },
  content: {},
  conversation: undefined,
  whenUnwatched: "finish",
  whenInterrupted: "error",
});

test("the same request many times at the same moment starts once, and every other place is given back", async () => {
  const { turns } = await startHeld();
  const same = await Promise.all(Array.from({ length: places }, () => turns.start(ask("same"))));
  assert.equal(same.filter(({ started }) => started).length, 1);
  assert.equal(new Set(same.map(({ turn }) => turn.log)).size, 1);
  await until(() => turns.count === 0);
  const others = Array.from({ length: places }, (_, index) => turns.start(ask(`other ${index}`)));
  assert.ok((await Promise.all(others)).every(({ started }) => started));
  await until(() => turns.count === 0);
  await turns.close(0);
});
