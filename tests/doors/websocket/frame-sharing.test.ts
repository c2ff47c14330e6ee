import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextImmediate } from "node:timers/promises";
import { SharedFrames } from "../../../src/doors/websocket/outbox.ts";
import type { LoggedEvent } from "../../../src/ports/turn-log.ts";

/** Longer frames are shared in another way. */
const frameChars = 50_000;

/** An event of `chars` characters that counts how often it is encoded. */
function countedEvent(chars: number) {
  const counted = { encoded: 0 };
  const text = "x".repeat(chars);
  const event: LoggedEvent = {
    seq: 1,
    event: {
      type: "text",
      final: false,
      get text() {
        counted.encoded += 1;
        return text;
      },
    },
  };
  return { event, counted };
}

/** How often an event is encoded if two connections are sent it after `chars` other characters in the same moment. */
function encodingsAfter(frames: SharedFrames, chars: number): number {
  for (let asked = 0; asked < chars; asked += frameChars)
    frames.frameOf("r", countedEvent(frameChars).event, true);
  const { event, counted } = countedEvent(frameChars);
  assert.equal(frames.frameOf("r", event, true), frames.frameOf("r", event, true));
  return counted.encoded;
}

test("frames of one moment are shared up to a limit, and from nothing again in the next moment", async () => {
  const frames = new SharedFrames();
  assert.equal(encodingsAfter(frames, 900_000), 1);
  assert.equal(encodingsAfter(frames, 200_000), 2);
  await nextImmediate();
  assert.equal(encodingsAfter(frames, 900_000), 1);
});
