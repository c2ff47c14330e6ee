import assert from "node:assert/strict";
import { it } from "node:test";
import { textUntil } from "../doubles/fault-shape.ts";
import { faultShapes } from "../doubles/fault-shapes.ts";
import { createGate, type Script } from "../doubles/script.ts";
import { streamHead } from "../doubles/stream-script.ts";
import { until } from "../support/until.ts";
import { isTerminal, textOf } from "../support/wire-client.ts";
import { createFaultBench, type FaultBench, passLoopTurns, watchdogLimits } from "./fault-bench.ts";

const shape = faultShapes.find(({ name }) => name === "ignores-abort");
const shown = textUntil("middle");

/** An upstream that pauses in the middle of its answer, and then goes on even without a listener. */
async function askStubborn(bench: FaultBench) {
  assert.ok(shape !== undefined);
  const gate = createGate();
  bench.double.respond(shape.script("middle", { until: gate.opened }));
  bench.ask({ pacing: { mode: "raw" } });
  await bench.client.next(() => textOf(bench.client.received) === shown);
  return gate;
}

/** The upstream goes on, but none of its text may reach a client. */
async function goOn(bench: FaultBench, gate: ReturnType<typeof createGate>): Promise<void> {
  const call = await bench.double.received(1);
  await bench.double.closed(call);
  const bytesAtClose = call.bytesWritten;
  gate.open();
  await passLoopTurns(400);
  assert.equal(call.finished, false, "the socket is destroyed: the kernel refuses the late bytes");
  assert.ok(call.bytesWritten - bytesAtClose < 4_096, "only what was on its way was taken");
  assert.equal(bench.double.openConnections(), 0);
  bench.client.send({ type: "ping" });
  await bench.client.next((message) => message.type === "pong");
  assert.equal(bench.client.received.findIndex(isTerminal), bench.client.received.length - 2);
  assert.equal(textOf(bench.client.received), shown);
}

it("an upstream that ignores a cancel has its socket destroyed, and its late bytes are ignored", async () => {
  await using bench = await createFaultBench();
  const gate = await askStubborn(bench);
  bench.client.send({ type: "cancel", data: { request_id: "asked" } });
  const last = (await bench.untilTerminal()).at(-1);
  assert.ok(last?.type === "response" && "output_text" in last.data);
  assert.equal(last.status, "cancelled");
  assert.equal(last.data.output_text, shown);
  assert.equal(last.data.cancel?.upstream_closed, true);
  await goOn(bench, gate);
});

it("an upstream that wakes up after the watchdog gave it up is not heard any more", async () => {
  await using bench = await createFaultBench();
  const gate = await askStubborn(bench);
  await passLoopTurns();
  await bench.clock.advance(watchdogLimits.idleMs);
  const last = (await bench.untilTerminal()).at(-1);
  assert.ok(last?.type === "error");
  assert.equal(last.code, "upstream_stalled");
  await goOn(bench, gate);
});

const failed = 'data: {"type":"error","code":"invalid_prompt","message":"Sorry."}\n\n';
const neverEnding: [string, string, Script][] = [
  [
    "an answer that is no event stream",
    "upstream_invalid",
    [
      { head: { status: 200, headers: { "content-type": "text/html" }, framing: "chunked" } },
      { write: "<html>" },
      { hang: true },
    ],
  ],
  ["a reported failure", "upstream_invalid_request", [streamHead(), { write: failed }, { hang: true }]],
  [
    "a line that is no event",
    "upstream_invalid",
    [streamHead(), { write: "data: oops\n\n" }, { hang: true }],
  ],
];
for (const [name, code, script] of neverEnding) {
  it(`the connection is closed at once after ${name}, although the upstream would keep it`, async () => {
    await using bench = await createFaultBench();
    bench.double.respond(script);
    bench.ask();
    const last = (await bench.untilTerminal()).at(-1);
    assert.ok(last?.type === "error");
    assert.equal(last.code, code);
    // Virtual time stands still meanwhile.
    await until(() => bench.double.openConnections() === 0);
  });
}
