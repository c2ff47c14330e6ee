import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TurnStep } from "../../src/ports/turn-event.ts";
import { answering, createChatSetup, end, say } from "./chat-setup.ts";
import { run } from "./run-a-lane.ts";

const usagesIn = (events: readonly TurnStep[]) =>
  events.flatMap((event) => (event.type === "status" && event.usage !== undefined ? [event.usage] : []));

describe("the usage of a lane that streams", () => {
  it("is told with the first text, and then once a second at most", async () => {
    const input = { inputTokens: 90, cachedTokens: 40, outputTokens: 1, totalTokens: 91, estimated: false };
    const setup = createChatSetup(async function* () {
      yield [{ type: "started", usage: input }];
      yield [{ type: "reasoning", text: "four" }];
      yield [say("four")];
      for (let count = 0; count < 3; count += 1) {
        await setup.clock.advance(400);
        yield [say("four")];
      }
      await setup.clock.advance(5_000);
      yield [say("last"), end];
    });
    const { events } = await run(setup, { includeUsage: true });
    const told = (outputTokens: number) => ({
      ...{ inputTokens: 90, cachedTokens: 40, outputTokens, totalTokens: 90 + outputTokens, estimated: true },
    });
    assert.deepEqual(usagesIn(events), [told(2), told(4)]);
  });

  it("is not told if it is not asked for", async () => {
    assert.deepEqual(usagesIn((await run(createChatSetup(answering("Hi.")))).events), []);
  });
});
