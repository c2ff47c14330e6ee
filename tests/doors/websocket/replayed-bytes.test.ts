import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeEvent } from "../../../src/doors/websocket/encode-event.ts";
import { LongMessage } from "../../../src/doors/websocket/long-message.ts";
import { SharedFrames } from "../../../src/doors/websocket/outbox.ts";
import { decodeSteps, encodeStored } from "../../../src/ports/stored-turn.ts";
import { isEvent, laneKey, type PersonaAnswer, type TurnEvent } from "../../../src/ports/turn-event.ts";
import { type ErrorCode, errorTable, TroupeError } from "../../../src/protocol/errors.ts";
import { fullEvents } from "../../ports/stored-samples.ts";

const text = fc.string({ unit: "binary" });
const error = fc
  .record({
    code: fc.constantFrom(...(Object.keys(errorTable) as ErrorCode[])),
    retryAfterMs: fc.option(fc.double(), { nil: undefined }),
    detail: fc.option(text, { nil: undefined }),
    retryable: fc.option(fc.boolean(), { nil: undefined }),
  })
  .map(({ code, ...options }) => {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    return new TroupeError(code, { ...Object.fromEntries(given), cause: new Error("of a provider") });
  });
const sample: PersonaAnswer = {
  ...{ persona: { id: "p", name: "P", description: "" }, index: 0, status: "failed", text: "" },
  ...{ model: "m", api: "openai", simulated: false },
};
/** Any event that a turn can have; a vendor's own JSON has no order of keys but its own. */
const event: fc.Arbitrary<TurnEvent> = fc.oneof(
  fc.constantFrom(...fullEvents),
  fc.record({ type: fc.constant("text"), lane: text, text, final: fc.boolean() }),
  fc.record({ type: fc.constant("failure"), error }),
  error.map((one): TurnEvent => ({ type: "lane-answer", answer: { ...sample, error: one } })),
  fc.json({ stringUnit: "binary" }).map((json): TurnEvent => {
    const response = { value: JSON.parse(json), missing: undefined };
    return {
      ...{ type: "answer", status: "completed" },
      answer: { kind: "responses", finishReason: "stop", text: "", response, simulated: false },
    };
  }),
);

/** Everything that is sent for an event. */
function sent(logged: { readonly seq: number; readonly event: TurnEvent }, isShared: boolean): string {
  const frame = new SharedFrames().frameOf("r", logged, isShared);
  if (frame instanceof LongMessage) return [...frame.messages()].join("\n");
  return typeof frame === "string" ? frame : Buffer.from(frame).toString();
}

test("an event has the same bytes at its first delivery and in every replay", () => {
  fc.assert(
    fc.property(event, fc.nat(), (first, seq) => {
      const [again] = decodeSteps(encodeStored([first]));
      assert.ok(again !== undefined && isEvent(again));
      const frame = encodeEvent("r", { seq, event: first });
      for (const one of [first, again])
        for (const isShared of [true, false]) assert.equal(sent({ seq, event: one }, isShared), frame);
    }),
    { numRuns: 500 },
  );
});

test("so has an event that is sent in parts", () => {
  const long: TurnEvent = {
    ...{ type: "tool", tool: "web_search", status: "done", callId: "c" },
    payload: { found: "\ud83c\udf27 rain ".repeat(200_000), more: Array.from({ length: 9_000 }, String) },
  };
  const [again] = decodeSteps(encodeStored([long]));
  assert.ok(again !== undefined && isEvent(again));
  const first = sent({ seq: 7, event: long }, true);
  assert.ok(first.includes('"type":"part"'));
  assert.equal(sent({ seq: 7, event: again }, false), first);
});

test("a wait without an end is not told as a number, in a replay neither", () => {
  const error = new TroupeError("overloaded", { retryAfterMs: Infinity });
  const steps = [{ type: "failure", error }] as const;
  for (const event of [...steps, ...decodeSteps(encodeStored(steps))])
    assert.equal(isEvent(event) && encodeEvent("r", { seq: 1, event }).includes("retry_after_ms"), false);
});

test("the stand-in for trimmed events tells each lane as its events did", () => {
  const lanes = [
    { text: "a" },
    { lane: "ada", text: "b" },
    { lane: laneKey({ personaId: "ada", round: 1, role: "judge" }), text: "c" },
  ];
  const frame = new SharedFrames().resetOf("r", { type: "trimmed", throughSeq: 9, lanes });
  assert.deepEqual(JSON.parse(String(frame)), {
    ...{ type: "reset", request_id: "r", through_seq: 9 },
    lanes: [
      { text: "a" },
      { persona_id: "ada", text: "b" },
      { persona_id: "ada", round: 1, role: "judge", text: "c" },
    ],
  });
});
