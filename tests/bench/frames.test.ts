import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { composeFrame, opcodes, readFrame } from "../../bench/client/frames.ts";

/** A frame as a server sends it: without a mask. */
function serverFrame(length: number): Buffer {
  const head =
    length < 126 ? [0x81, length] : length < 65_536 ? [0x81, 126, 0, 0] : [0x81, 127, 0, 0, 0, 0, 0, 0, 0, 0];
  const frame = Buffer.concat([Buffer.from(head), Buffer.alloc(length, "x")]);
  if (head.length === 4) frame.writeUInt16BE(length, 2);
  if (head.length === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  return frame;
}

describe("the load client's frames", () => {
  for (const length of [0, 125, 126, 65_535, 65_536]) {
    it(`reads one of ${length} bytes when it is complete`, () => {
      const bytes = Buffer.concat([Buffer.from("before"), serverFrame(length)]);
      const frame = readFrame(bytes, 6);
      assert.equal(frame?.opcode, opcodes.text);
      assert.equal(frame?.end, bytes.length);
      assert.equal((frame?.end ?? 0) - (frame?.start ?? 0), length);
      assert.equal(readFrame(bytes.subarray(0, -1), 6), undefined);
    });
  }

  it("writes one with a mask that changes nothing", () => {
    const text = Buffer.from("a question ".repeat(20));
    const frame = composeFrame(opcodes.text, text);
    assert.deepEqual([...frame.subarray(0, 8)], [0x81, 0xfe, 0, text.length, 0, 0, 0, 0]);
    assert.deepEqual(frame.subarray(8), text);
  });
});
