import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryTurnLog } from "../../../src/adapters/turn-log/memory-turn-log.ts";
import { followLog } from "../../../src/ports/follow-log.ts";
import { followed, terminal, textOf } from "../../ports/log-reading.ts";
import { describeLeaving, describeTrimming, describeTurnLog } from "../../ports/turn-log-contract.ts";

function newLog() {
  let bytes = 0;
  let ends = 0;
  const memory = new MemoryTurnLog({
    onBytes: (change) => {
      bytes += change;
    },
    onEnd: () => {
      ends += 1;
    },
  });
  return { memory, log: memory, bytes: () => bytes, ends: () => ends };
}

async function underTest() {
  const { memory, log } = newLog();
  return { log, trim: async () => memory.trim(), [Symbol.asyncDispose]: async () => undefined };
}

describeTurnLog("memory", underTest);
describeTrimming("memory", underTest);
describeLeaving("memory", underTest);

describe("the memory that a log takes", () => {
  it("grows with its content, reports each change, and shrinks to the texts", async () => {
    const { memory, log, bytes } = newLog();
    await log.append([textOf("x".repeat(1_000))]);
    const one = bytes();
    assert.ok(one >= 2_000);
    await log.append([
      { type: "tool", tool: "t", status: "s", callId: "c", payload: { a: "y".repeat(1_000) } },
    ]);
    const two = bytes();
    assert.ok(two >= one + 2_000);
    await log.append([terminal]);
    memory.trim();
    assert.ok(bytes() < two && bytes() >= 2_000);
    assert.equal(memory.bytes, bytes());
  });

  it("is the same for reasoning as for text", async () => {
    const [ofText, ofReasoning] = [newLog(), newLog()];
    await ofText.log.append([textOf('"x"\n')]);
    await ofReasoning.log.append([{ type: "reasoning", text: '"x"\n' }]);
    assert.equal(ofReasoning.bytes(), ofText.bytes());
  });

  it("stays as it is while the turn runs, and when nothing is left to give up", async () => {
    const { memory, log, bytes } = newLog();
    await log.append([textOf("a")]);
    const before = bytes();
    memory.trim();
    assert.equal(bytes(), before);
    const follower = followed(log, 0);
    await log.append([terminal]);
    await follower.ended;
    assert.equal(follower.read(), "1:a 2:answer");
    memory.trim();
    const trimmed = bytes();
    memory.trim();
    assert.equal(bytes(), trimmed);

    const short = newLog();
    await short.log.append([terminal]);
    short.memory.trim();
    const all = followed(short.log, 0);
    await all.ended;
    assert.equal(all.read(), "1:answer");
  });

  it("keeps only the new text of a lane that started again", async () => {
    const { memory, log } = newLog();
    await log.append([
      textOf("void"),
      textOf("kept", "b"),
      { type: "reset", lanes: [{}] },
      textOf("new"),
      terminal,
    ]);
    memory.trim();
    const { value } = await followLog(log, { after: 0 }).next();
    assert.deepEqual(value, {
      type: "trimmed",
      throughSeq: 4,
      lanes: [{ text: "new" }, { lane: "b", text: "kept" }],
    });
  });

  it("is not counted for an append that was refused", async () => {
    const { log, bytes, ends } = newLog();
    await assert.rejects(log.append([terminal, textOf("x".repeat(1_000))]));
    assert.deepEqual([bytes(), ends()], [0, 0]);
    await log.append([terminal]);
    assert.equal(ends(), 1);
  });
});
