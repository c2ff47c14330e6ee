import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answer } from "../doubles/answer.ts";
import { createProxyDouble } from "../doubles/proxy-double.ts";
import { streamHead } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { isTerminal } from "../support/wire-client.ts";
import { createFaultBench, type FaultBench, passLoopTurns } from "./fault-bench.ts";

const events = answer({ deltas: ["So far, ", "so good."] });
const firstDeltaAt = events.findIndex((event) => event.startsWith("event: response.output_text.delta"));
const writes = (texts: readonly string[]) => texts.map((write) => ({ write }));
/** The limits are the defaults. Only the provider is slow. */
const patient = { firstByteMs: undefined, idleMs: 300_000, pingMs: 2 ** 31 - 1 };

async function pass({ clock, client }: FaultBench, ms: number) {
  await clock.advance(ms);
  await passLoopTurns(100);
  const end = client.received.find(isTerminal);
  return end?.type === "error" ? { code: end.code, message: end.message } : end;
}

describe("a provider that is slow to begin", () => {
  it("on this machine has 10 minutes for its first event; the error says how to give it more", async () => {
    await using bench = await createFaultBench(patient);
    bench.double.respond([{ hang: true }]);
    bench.ask();
    await bench.double.received(1);
    assert.equal(await pass(bench, 599_000), undefined);
    assert.deepEqual(await pass(bench, 1_000), {
      code: "upstream_timeout",
      message:
        "The model provider did not begin to answer in time. It had 600 s; a model that has to load may need longer: TROUPE_FIRST_BYTE_MS sets the time.",
    });
  });

  it("has as long again after each event that shows nothing, such as one that it queues the call", async () => {
    await using bench = await createFaultBench(patient);
    bench.double.respond([streamHead(), ...writes(events.slice(0, 2)), { hang: true }]);
    bench.ask();
    await bench.client.next((message) => message.type === "status" && message.status === "processing");
    await passLoopTurns(100);
    assert.equal(await pass(bench, 599_000), undefined);
    assert.deepEqual(await pass(bench, 1_000), {
      code: "upstream_stalled",
      message:
        "The model provider went silent in the middle of the answer. It said nothing for 600 s; TROUPE_FIRST_BYTE_MS and TROUPE_IDLE_MS set the time.",
    });
  });

  it("has the usual time once it has said something", async () => {
    await using bench = await createFaultBench(patient);
    bench.double.respond([streamHead(), ...writes(events.slice(0, firstDeltaAt + 1)), { hang: true }]);
    bench.ask({ pacing: { mode: "raw" } });
    await bench.client.next((message) => message.type === "chunk");
    await passLoopTurns(100);
    assert.equal(await pass(bench, 299_000), undefined);
    assert.deepEqual(await pass(bench, 1_000), {
      code: "upstream_stalled",
      message:
        "The model provider went silent in the middle of the answer. It said nothing for 300 s; TROUPE_IDLE_MS sets the time.",
    });
  });

  it("has the time that is set, on this machine too", async () => {
    await using bench = await createFaultBench({ ...patient, firstByteMs: 5_000 });
    bench.double.respond([{ hang: true }]);
    bench.ask();
    await bench.double.received(1);
    assert.equal(await pass(bench, 4_999), undefined);
    const end = await pass(bench, 1);
    assert.ok(end !== undefined && "code" in end && end.code === "upstream_timeout");
    assert.match(end.message, /It had 5 s;/);
  });

  it("has a minute anywhere else", async () => {
    await using far = await createUpstreamDouble();
    far.respond([{ hang: true }]);
    await using proxy = await createProxyDouble(far.baseUrl);
    await using bench = await createFaultBench({
      ...patient,
      openaiBaseUrl: "http://provider.example/v1",
      httpProxy: proxy.host,
    });
    bench.ask();
    await far.received(1);
    assert.equal(await pass(bench, 59_000), undefined);
    const end = await pass(bench, 1_000);
    assert.ok(end !== undefined && "code" in end && end.code === "upstream_timeout");
    assert.match(end.message, /It had 60 s;/);
  });
});
