import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { done, finish, text } from "../adapters/chat-completions/chat-setup.ts";
import { type FaultShape, type Moment, mayRetry } from "../doubles/fault-shape.ts";
import { faultShapes } from "../doubles/fault-shapes.ts";
import { createGate, type Step } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { isTerminal, textOf } from "../support/wire-client.ts";
import { passLoopTurns } from "./fault-bench.ts";
import { longerThanSilenceMs } from "./fault-stage.ts";

/** The failures that another endpoint may not have. */
const helped = new Set([
  ...["rate_limited", "quota_exceeded", "upstream_overloaded", "upstream_error", "upstream_unreachable"],
  ...["upstream_timeout", "upstream_stalled", "upstream_disconnected", "upstream_empty", "upstream_invalid"],
  ...["upstream_truncated", "upstream_auth", "model_not_found"],
]);
const spareAnswer = streamScript([text("From the spare."), finish("stop"), done]);
/** Faults that may destroy text sent before them. They wait until the client has been shown that text. */
const destroyers = new Set(["reset", "fin-inside-chunked-body"]);
const faults = faultShapes.filter(({ expect: { outcome } }) => outcome === "error");
const isStall = ({ expect: { code } }: FaultShape) =>
  code === "upstream_stalled" || code === "upstream_timeout";

/** A server whose first endpoint has this fault, and whose second one answers. */
async function playFault(shape: FaultShape, moment: Moment) {
  await using stack = new AsyncDisposableStack();
  const house = stack.use(await createUpstreamDouble({ keepAlive: false, models: ["house-1"] }));
  const elsewhere = stack.use(await createUpstreamDouble());
  const spare = stack.use(await createUpstreamDouble({ models: ["spare-1"] }));
  spare.respond(spareAnswer);
  const shown = createGate();
  const silent = createGate();
  const tellSilence = async () => silent.open();
  const script = shape
    .script(moment, {
      elsewhere: elsewhere.baseUrl,
      ...(destroyers.has(shape.name) ? { until: shown.opened } : {}),
    })
    .flatMap((step): readonly Step[] =>
      "hang" in step || "repeat" in step ? [{ waitFor: tellSilence }, step] : [step],
    );
  house.respond(script);
  const clock = createTestClock({ instantMs: 2_500 });
  const key = "key-of-a-test";
  const server = stack.use(
    await startTroupe({
      ...{ clock, random: () => 0.5, firstByteMs: 10_000, idleMs: 20_000 },
      configuration: {
        providers: {
          house: {
            ...{ kind: "responses", key, model: "house-1" },
            baseUrl: (await shape.baseUrl?.(house.baseUrl)) ?? house.baseUrl,
          },
          spare: { kind: "chat-completions", baseUrl: spare.baseUrl, key, model: "spare-1" },
        },
        fallback: { house: ["spare"] },
      },
    }),
  );
  const client = await server.connect();
  client.send({ type: "openai_chat", data: { input_text: "Well?", api: "house" } });
  const whole = shape.text(moment);
  if (whole === "") shown.open();
  const passed = isStall(shape)
    ? Promise.all([shown.opened, silent.opened])
        .then(() => passLoopTurns())
        .then(() => clock.advance(longerThanSilenceMs))
    : undefined;
  await client.next((message) => {
    if (textOf(client.received).length === whole.length) shown.open();
    return isTerminal(message);
  });
  await passed;
  return { received: [...client.received], houseCalls: house.calls, spare };
}

describe("a fallback after every fault", { concurrency: 8 }, () => {
  for (const shape of faults)
    for (const moment of shape.moments) {
      const { code = "" } = shape.expect;
      const isHelped = moment === "before" && helped.has(code);
      const does = isHelped ? "answers" : "is not asked";
      it(`${does}: ${shape.name}, ${moment}`, { timeout: 20_000 }, async () => {
        const { received, houseCalls, spare } = await playFault(shape, moment);
        const last = received.at(-1);
        const moves = received.flatMap((one) => (one.type === "status" && one.detail?.api ? [one] : []));
        assert.equal(received.filter(isTerminal).length, 1);
        if (!isHelped) {
          assert.equal(spare.calls, 0);
          assert.deepEqual(moves, []);
          assert.ok(last?.type === "error");
          assert.equal(last.code, code);
          return;
        }
        assert.ok(last?.type === "response" && last.request_type === "openai_chat", JSON.stringify(last));
        assert.deepEqual([last.data.output_text, last.data.api], ["From the spare.", "spare"]);
        assert.equal(textOf(received), "From the spare.");
        const detail = { retry: 1, delay_ms: 0, code, api: "spare", model: "spare-1" };
        assert.deepEqual(
          moves.map(({ status, message, detail: told }) => [status, message, told]),
          [["processing", "Trying another model...", detail]],
        );
        assert.equal(spare.calls, 1);
        if (shape.baseUrl === undefined)
          assert.ok(houseCalls >= 1 && houseCalls <= (mayRetry(shape, moment) ? 3 : 1));
      });
    }
});
