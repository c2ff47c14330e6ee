import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { wireLimits } from "../../src/protocol/limits.ts";
import { costlyFrames } from "./costly-frames.ts";
import { exchange } from "./exchange.ts";
import type { Frame } from "./frame.ts";
import { startFuzzServer } from "./fuzz-server.ts";

setFlagsFromString("--expose-gc");
const collectOnce = runInNewContext("gc") as () => void;

/** V8 keeps the shapes of objects, and with them the names of their members, for a few collections. */
function collect(): void {
  for (let count = 0; count < 6; count += 1) collectOnce();
}

const isRefused = ({ bytes }: Frame) => !decodeClientMessage(Buffer.from(bytes).toString("utf8")).ok;
const frames = [...costlyFrames(131)].map(({ frame }) => frame);

describe("frames that cost as much as their length allows", () => {
  it("are answered one by one, and the connection stays open", async () => {
    await using server = await startFuzzServer();
    const tally = await exchange(frames, server);
    assert.equal(tally.closed, 0);
    assert.ok(tally.refused > 0);
  });

  it("leave nothing behind once they are refused", async () => {
    await using server = await startFuzzServer();
    const refused = frames.filter(isRefused).slice(0, 20);
    const heapAfter = async () => {
      await exchange(refused, server);
      collect();
      return process.memoryUsage().heapUsed;
    };
    await heapAfter();
    const first = await heapAfter();
    await heapAfter();
    const growth = (await heapAfter()) - first;
    assert.ok(growth < wireLimits.messageBytes, `${growth} bytes after ${2 * refused.length} more frames`);
  });
});

describe("an error of the decoder", () => {
  it("holds nothing of the frame: no cause, and no text that it was made from", () => {
    const errorsOf = (text: string) =>
      Array.from({ length: 20 }, (_, index) => {
        const decoded = decodeClientMessage(text.replace("#", String(index)));
        assert.ok(!decoded.ok);
        assert.equal(decoded.error.cause, undefined);
        return decoded.error;
      });
    const long = "x".repeat(500_000);
    const texts = [
      `{"type":"#${long}`,
      `{"type":"#${long}"}`,
      `{"type":"chat","data":{"message":7,"persona_id":"#${long}"}}`,
      `{"type":"openai_chat","data":{"input_text":"a","options":{"#${long}":1}}}`,
      `{"type":"openai_chat","data":{"input_text":"a","options":{"metadata":{"#${long}":1}}}}`,
      `{"type":"ping","data":["#${long}",${"[".repeat(40)}${"]".repeat(40)}]}`,
    ];
    for (const text of texts) {
      collect();
      const before = process.memoryUsage().heapUsed;
      const errors = errorsOf(text);
      collect();
      const bytes = process.memoryUsage().heapUsed - before;
      assert.ok(bytes < long.length, `${errors.length} errors hold ${bytes} bytes: ${text.slice(0, 60)}`);
    }
  });
});
