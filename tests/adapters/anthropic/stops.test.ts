import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Script, splitEvery } from "../../doubles/script.ts";
import { streamHead } from "../../doubles/stream-script.ts";
import { begin, close, createAnthropicSetup, open, openText, ping, text, think } from "./anthropic-setup.ts";

const halt = new Error("stop");
const thinking = begin() + open({ type: "thinking", thinking: "", signature: "" }) + think("Hm");
const moments: readonly (readonly [string, Script])[] = [
  ["before the head", [{ hang: true }]],
  ["before the first event", [streamHead(), { hang: true }]],
  ["after a ping", [streamHead(), { write: ping }, { hang: true }]],
  ["while it thinks", [streamHead(), { write: thinking }, { hang: true }]],
  ["between two texts", [streamHead(), { write: begin() + openText() + text("It ") }, { hang: true }]],
  [
    "between two blocks",
    [streamHead(), { write: begin() + openText() + text("It ") + close() }, { hang: true }],
  ],
  [
    "inside an event",
    [
      streamHead(),
      { write: begin() + openText() + text("It ") },
      ...splitEvery(Buffer.from(text("rains").slice(0, 30)), 7).map((write) => ({ write })),
      { hang: true },
    ],
  ],
];

describe("a stop closes the socket of a call of the Messages API", () => {
  for (const [moment, script] of moments)
    it(moment, async () => {
      await using under = await createAnthropicSetup();
      under.double.respond(script);
      const controller = new AbortController();
      const read = async () => {
        for await (const _ of under.provider.stream(under.request, controller));
      };
      const ended = assert.rejects(read(), halt);
      const request = await under.double.received(1);
      controller.abort(halt);
      await ended;
      assert.deepEqual([under.connections(), under.clock.sleeping], [0, 0]);
      await under.double.closed(request);
    });
});
