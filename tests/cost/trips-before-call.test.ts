import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import { countTrips } from "./count-trips.ts";

interface Frame {
  readonly type: string;
  readonly data: object;
}

/** A server with a database, and a client that asks. */
async function start() {
  const stack = new AsyncDisposableStack();
  const place = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  const counted = stack.use(countTrips());
  let before: readonly string[] | undefined;
  upstream.respond(() => {
    before ??= counted.take();
    return streamScript(answer({ deltas: ["One ", "two."] }));
  });
  const server = stack.use(
    await startTroupe({
      store: "sqlite",
      data: place.folder,
      clock: createTestClock({ instantMs: 100 }),
      openaiApiKey: "k",
      openaiBaseUrl: upstream.baseUrl,
    }),
  );
  const client = await server.connect();
  return {
    /** Asks once the database has nothing to do. Returns the trips before the first call of the provider. */
    async ask(frame: Frame) {
      before = undefined;
      counted.take();
      client.send(frame);
      const end = (await client.untilTerminal()).at(-1);
      assert.ok(end?.type === "response");
      const after: string[] = [];
      await until(() => {
        after.push(...counted.take());
        return after.some((trip) => trip.includes("endTurn"));
      });
      await until(() => server.troupe.stats().turns === 0);
      const conversation_id = end.request_type === "openai_chat" ? undefined : end.data.conversation_id;
      return { trips: before ?? [], conversation_id };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const pacing = { mode: "raw" };
const chat: Frame = { type: "chat", data: { message: "Hi", persona_id: "teacher", pacing } };
const persona_ids = ["teacher", "skeptic", "historian"];
const multiChat: Frame = { type: "multi_chat", data: { message: "Hi", persona_ids, pacing } };

describe("trips to the database before the provider is called", () => {
  for (const id of [undefined, "named"]) {
    const name = id === undefined ? "without an id" : "with an id";
    const reads = id === undefined ? 0 : 1;
    const named = (frame: Frame, number: number) =>
      id === undefined ? frame : { ...frame, id: `${id}-${number}` };

    it(`openai_chat ${name}: ${reads} reads and one commit`, async () => {
      await using at = await start();
      const { trips } = await at.ask(named({ type: "openai_chat", data: { input_text: "Hi", pacing } }, 1));
      assert.equal(trips.length, reads + 1, trips.join("\n"));
    });

    for (const frame of [chat, multiChat])
      it(`${frame.type} ${name}: one commit, and at most one read`, async () => {
        await using at = await start();
        const inside = (conversation_id: string | undefined) => ({
          ...frame,
          data: { ...frame.data, conversation_id },
        });
        const fresh = await at.ask(named(inside("new"), 1));
        assert.equal(fresh.trips.length, reads + 1, fresh.trips.join("\n"));
        for (const [number, next] of [inside(fresh.conversation_id), frame].entries()) {
          const { trips, conversation_id } = await at.ask(named(next, number + 2));
          assert.equal(conversation_id, fresh.conversation_id);
          assert.equal(trips.length, 2, trips.join("\n"));
          assert.match(trips.join("\n"), /^read\ncommit .*insertMessage.* beginTurn.* journal$/);
        }
      });
  }
});
