import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, endsOf, readUsage, totalOf } from "../budget/budget-stage.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { events } from "./gated-cluster.ts";
import { createLockStep } from "./lock-step.ts";
import { onLinux, startProcesses } from "./start-processes.ts";

const raw = { pacing: { mode: "raw" } };
const script = streamScript(events);

test("a key may ask a number of times a minute over all processes", onLinux, async () => {
  await using system = await startProcesses(script, { TROUPE_REQUESTS_PER_MINUTE: "5" });
  const { clients } = await system.connectBoth();
  const ends = await Promise.all(
    clients.map((client, worker) => {
      const ids = Array.from({ length: 5 }, (_, index) => `minute-${worker}-${index}`);
      for (const id of ids) client.send(ask(id, raw));
      return endsOf(client, ids);
    }),
  );
  const codes = ends.flat().map((end) => (end.type === "error" ? end.code : end.status));
  assert.deepEqual(codes.toSorted(), [
    ...Array.from({ length: 5 }, () => "completed"),
    ...Array.from({ length: 5 }, () => "request_rate_exceeded"),
  ]);
  assert.equal(system.upstream.requests.length, 5);
});

test(
  "the reservations of a killed process count as used, and the others go on with the rest",
  onLinux,
  async () => {
    const cap = 1_000;
    await using system = await startProcesses([...script.slice(0, 7), { hang: true }], {
      TROUPE_TOKENS_PER_DAY: String(cap),
    });
    const {
      first,
      clients: [asking, other],
    } = await system.connectBoth();
    const cut = ["cut-1", "cut-2"];
    for (const id of cut) asking.send(ask(id, raw));
    for (const id of cut)
      await asking.next((message) => message.type === "chunk" && message.request_id === id);
    process.kill(first, "SIGKILL");
    for (const id of cut) {
      other.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
      await other.untilTerminal(id);
    }
    const left = readUsage(system.folder);
    assert.deepEqual(
      left.map(({ outcome, output_tokens: tokens, estimated }) => [outcome, tokens, estimated]),
      cut.map(() => ["interrupted", 256, 1]),
    );

    const lockStep = createLockStep(100);
    system.upstream.respond(lockStep.script);
    other.send(ask("last", raw));
    const [end] = await lockStep.run(new Map([[other, ["last"]]]));
    assert.ok(end?.type === "response" && end.finish_reason === "budget");
    const used = totalOf(readUsage(system.folder));
    assert.ok(used >= cap - 16 && used <= cap + 16, String(used));
  },
);
