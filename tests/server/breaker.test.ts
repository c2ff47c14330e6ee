import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { answerOf, ask, errorOf, failing, fiveTimes, moved, openStage, refused } from "./chain-stage.ts";

describe("an endpoint of a chain that keeps failing", () => {
  it("is passed at once, and told to observers once; it is asked again after 15 s, and closes with an answer", async () => {
    await using stage = await openStage();
    const { house, clock, noted } = stage;
    house.respond(failing);
    await fiveTimes(stage);
    const calls = house.calls;
    assert.ok(calls < 9, `${calls} calls`);
    const passed = await ask(stage.client);
    assert.deepEqual(passed.details, [moved("upstream_error", 1, "spare")]);
    assert.deepEqual(answerOf(passed), ["From the spare.", "spare"]);
    assert.equal(house.calls, calls);
    await clock.advance(15_000);
    house.respond(streamScript(answer({ text: "Well again." })));
    assert.deepEqual(answerOf(await ask(stage.client)), ["Well again.", undefined]);
    assert.deepEqual(
      noted
        .of("breakerChanged")
        .map(([{ providerName, requestModel, state, code }]) => [
          ...[providerName, requestModel, state, code],
        ]),
      [
        ["house", "house-1", "open", "upstream_error"],
        ["house", "house-1", "closed", "upstream_error"],
      ],
    );
  });

  it("fails at once with its code and a time if it is the last link", async () => {
    await using stage = await openStage();
    stage.spare.respond(failing);
    for (let asked = 0; asked < 3; asked += 1) await ask(stage.client, { api: "spare" });
    const calls = stage.spare.calls;
    const { code, retryable, retry_after_ms } = errorOf(await ask(stage.client, { api: "spare" }));
    assert.deepEqual([code, retryable], ["upstream_error", true]);
    assert.ok(retry_after_ms !== undefined && retry_after_ms > 0 && retry_after_ms <= 15_000);
    assert.equal(stage.spare.calls, calls);
    // Requests that one caller gets wrong do not count against the others.
    stage.house.respond(refused("temperature"));
    for (let asked = 0; asked < 8; asked += 1) await ask(stage.client);
    assert.equal(stage.house.calls, 8);
  });

  it("has a breaker only in a chain: elsewhere a call that may succeed is better than none", async () => {
    await using stage = await openStage();
    stage.last.respond(failing);
    for (let asked = 0; asked < 4; asked += 1) await ask(stage.client, { api: "last" });
    assert.equal(stage.last.calls, 12);
  });
});
