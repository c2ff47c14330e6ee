import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { splitAt } from "../doubles/script.ts";
import { streamHead } from "../doubles/stream-script.ts";
import { createFaultBench } from "../faults/fault-bench.ts";
import { framings, readInFull, recordedStreams } from "../support/recorded-streams.ts";
import { textOf } from "../support/wire-client.ts";

describe("recorded streams of vendors reach the client whole", () => {
  for (const [index, { name, events }] of recordedStreams().entries())
    it(`${name}: text, reasoning, data.output with its sources, usage and finish`, async () => {
      await using bench = await createFaultBench();
      const frame = Object.values(framings)[index % 3];
      assert.ok(frame !== undefined);
      const bytes = Buffer.from(events.map(frame).join(""));
      const random = createSeededRandom(index);
      const places = Array.from({ length: 30 }, () => random.whole(1, bytes.length - 1));
      const packets = splitAt(
        bytes,
        [...new Set(places)].sort((one, other) => one - other),
      );
      bench.double.respond([streamHead(), ...packets.map((write) => ({ write }))]);
      bench.ask({ include_reasoning: true });
      const messages = await bench.untilTerminal();
      const full = readInFull(events);
      const reasoning = messages
        .map((message) => (message.type === "reasoning" ? message.text : ""))
        .join("");
      assert.deepEqual([textOf(messages), reasoning], [full.text, full.reasoning]);
      const end = messages.at(-1);
      if (full.response === undefined) {
        assert.ok(end?.type === "error" && end.code === "quota_exceeded");
        return;
      }
      assert.ok(end?.type === "response" && end.request_type === "openai_chat");
      const { output_text, finish_reason, cost: _, ...response } = end.data;
      assert.deepEqual(response, full.response);
      assert.equal(output_text, full.text);
      const asks = full.response.output.some(({ type }) => /^(function|custom_tool)_call$/.test(type));
      assert.equal(finish_reason, asks ? "tool_calls" : "stop");
    });
});
