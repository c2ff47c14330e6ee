import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { laneKey, type Voice, voiceOf } from "../../src/ports/turn-event.ts";

/** A name as requests may bring it: it has no control characters. */
const name = fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => !/\p{Cc}/u.test(text));
const voice: fc.Arbitrary<Voice> = fc.record(
  {
    personaId: name,
    round: fc.nat(),
    role: fc.constantFrom("moderator" as const, "judge" as const, "voter" as const, "synthesis" as const),
  },
  { requiredKeys: ["personaId"] },
);

it("a lane's key tells its voice, whatever its persona is called", () => {
  fc.assert(
    fc.property(voice, (one) => {
      assert.deepEqual(voiceOf(laneKey(one)), { ...one });
    }),
  );
});

it("a lane of a persona that speaks once is stored under the persona's id, as earlier versions did", () => {
  assert.equal(laneKey({ personaId: "teacher" }), "teacher");
  assert.deepEqual(voiceOf("teacher"), { personaId: "teacher" });
  assert.deepEqual(voiceOf(undefined), {});
});

it("a first round and a role are told apart from no round and no role", () => {
  const voices: Voice[] = [
    { personaId: "a" },
    { personaId: "a", round: 0 },
    { personaId: "a", role: "judge" },
    { personaId: "a", round: 0, role: "judge" },
  ];
  assert.equal(new Set(voices.map(laneKey)).size, voices.length);
});
