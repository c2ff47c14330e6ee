import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unusualHeads } from "../doubles/unusual-heads.ts";
import { isTerminal } from "../support/wire-client.ts";
import { createFaultBench, passLoopTurns, watchdogLimits } from "./fault-bench.ts";

const { firstByteMs } = watchdogLimits;
const failing = unusualHeads.filter(({ expect }) => expect.outcome === "error");
const waiting = failing.filter(({ expect }) => expect.code === "upstream_timeout");

describe("an upstream that starts no answer", () => {
  for (const shape of waiting)
    it(`${shape.name}: ends at the limit for the first event, not before`, async () => {
      await using bench = await createFaultBench();
      bench.double.respond(shape.script("before"));
      bench.ask();
      const call = await bench.double.received(1);
      await bench.clock.advance(0.9 * firstByteMs);
      await passLoopTurns();
      assert.equal(bench.client.received.find(isTerminal), undefined);
      await bench.clock.advance(0.1 * firstByteMs);
      const end = (await bench.untilTerminal()).at(-1);
      assert.ok(end?.type === "error" && end.code === "upstream_timeout");
      await bench.double.closed(call);
    });

  for (const shape of failing.filter((one) => !waiting.includes(one)))
    it(`${shape.name}: ends at once`, async () => {
      await using bench = await createFaultBench();
      bench.double.respond(shape.script("before"));
      bench.ask();
      const call = await bench.double.received(1);
      const end = (await bench.untilTerminal()).at(-1);
      assert.ok(end?.type === "error" && end.code === "upstream_invalid");
      await bench.double.closed(call);
      assert.equal(bench.double.requests.length, 1);
    });

  for (const shape of waiting)
    it(`${shape.name}: is left at once when the client cancels`, async () => {
      // No time passes by itself, so only the cancel can end it.
      await using bench = await createFaultBench({ instantMs: 0 });
      bench.double.respond(shape.script("before"));
      bench.ask();
      const call = await bench.double.received(1);
      await passLoopTurns();
      bench.client.send({ type: "cancel", data: { request_id: "asked" } });
      const end = (await bench.untilTerminal()).at(-1);
      assert.ok(end?.type === "response" && end.status === "cancelled");
      assert.deepEqual("cancel" in end.data && end.data.cancel, { upstream_closed: true, closed_in_ms: 0 });
      await bench.double.closed(call);
    });
});
