import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UnreadableError } from "../../src/ports/stored-event.ts";
import { storedEvent } from "../../src/ports/stored-shapes.ts";
import {
  decodeBatch,
  decodeBeat,
  decodeCompactedLog,
  decodeError,
  decodeLog,
  decodeResumableRequest,
  decodeSteps,
  decodeTurnRequest,
  encodeStored,
} from "../../src/ports/stored-turn.ts";
import { storedVersion } from "../../src/ports/stored-version.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { fullCheckpoint, fullEvents, fullRequests, fullResumables, fullSteps } from "./stored-samples.ts";

const terminal = { type: "failure", error: new TroupeError("interrupted") } as const;
const logged = fullEvents.map((event, index) => ({ seq: index + 1, event }));

type Shape = readonly [name: string, content: unknown, decode: (text: string) => unknown];

/** Every stored shape with the function that decodes it. */
const shapes: readonly Shape[] = [
  ...fullSteps.map((step): Shape => {
    const name = step.type === "answer" ? `${step.answer.kind} answer` : step.type;
    return [`a step: ${name}`, [step], decodeSteps];
  }),
  ["a log", [...fullEvents.slice(0, 6), terminal], (text) => decodeLog(text, storedVersion)],
  [
    "a compacted log",
    { throughSeq: 3, lanes: [{ lane: "teacher", text: "Rain" }, { text: "" }], terminal },
    (text) => decodeCompactedLog(text, storedVersion),
  ],
  ...fullResumables.map(
    (request): Shape => [
      `a request: ${request.request.kind}`,
      request,
      (text) => decodeResumableRequest(text),
    ],
  ),
  ...fullRequests.map(
    (request): Shape => [`an announced request: ${request.kind}`, request, decodeTurnRequest],
  ),
  ...logged.map(
    (one): Shape => [`a batch: ${one.event.type}`, { type: "events", events: [one] }, decodeBatch],
  ),
  ["a trimmed batch", { type: "trimmed", throughSeq: 3, lanes: [{ lane: "l", text: "" }] }, decodeBatch],
  ["an end that is not stored", { type: "unkept", error: terminal.error }, decodeBatch],
  ["an error", new TroupeError("overloaded", { detail: "Full.", retryable: false }), decodeError],
];

/** Keys whose contents are a vendor's own. */
const foreign = ["payload", "response", "place", "options", "tools", "state", "parameters"];

type Path = readonly (string | number)[];

/** The places of all values in JSON; of foreign JSON only its own place. */
function placesIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const key = path.at(-1);
  if (typeof key === "string" && foreign.includes(key)) return [path];
  const inner = Object.entries(value).flatMap(([name, member]) =>
    placesIn(member, [...path, Array.isArray(value) ? Number(name) : name]),
  );
  return [path, ...inner];
}

/** A copy of JSON with another value at a place. */
function withValueAt(json: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const copy = structuredClone(json) as Record<string | number, unknown>;
  copy[key] = withValueAt(copy[key], rest, value);
  return copy;
}

function valueAt(json: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], json);
}

/** A value of another type. */
function otherThan(value: unknown): unknown {
  return typeof value === "number" ? "7" : 7;
}

describe("stored shapes", () => {
  for (const [name, content, decode] of shapes) {
    it(`${name}: comes back as it was`, () => {
      const text = JSON.stringify(content);
      assert.deepEqual(decode(text), content);
      // The order of keys is kept as well, so storing it again gives the same bytes.
      assert.equal(JSON.stringify(decode(text)), text);
    });

    it(`${name}: a wrong type at any place is refused by name, without a word of the content`, () => {
      const json: unknown = JSON.parse(JSON.stringify(content));
      for (const path of placesIn(json)) {
        const broken = withValueAt(json, path, otherThan(valueAt(json, path)));
        assert.throws(
          () => decode(JSON.stringify(broken)),
          (fault) => fault instanceof UnreadableError && !/teacher|Rain|Half|resp_/.test(fault.message),
          path.join("."),
        );
      }
    });

    it(`${name}: keys of a later version are kept`, () => {
      const json: unknown = JSON.parse(JSON.stringify(content));
      for (const path of placesIn(json)) {
        const value = valueAt(json, path);
        if (typeof value !== "object" || value === null || Array.isArray(value)) continue;
        // An error is an object of its own class, which has no room for them.
        if ("troupe_error" in value) continue;
        const later = JSON.stringify(withValueAt(json, path, { ...value, later: { is: ["kept"] } }));
        if (path.length === 0 && name.startsWith("a batch: ")) assert.doesNotThrow(() => decode(later));
        else assert.equal(JSON.stringify(decode(later)), later, path.join("."));
      }
    });
  }

  it("text that is not JSON is refused without quoting it", () => {
    for (const [, , decode] of shapes)
      assert.throws(() => decode('[{"type":"text","text":"secret'), {
        name: "UnreadableError",
        message: "it is not JSON",
      });
  });

  it("an event of an unknown type is refused", () => {
    assert.throws(() => decodeSteps('[{"type":"song","text":"la"}]'), UnreadableError);
    assert.throws(() => decodeBatch('{"type":"songs","events":[]}'), UnreadableError);
    assert.throws(() => decodeBatch('{"type":"events","events":[]}'), UnreadableError);
    assert.throws(() => decodeTurnRequest('{"kind":"song"}'), UnreadableError);
  });

  it("a log has one terminal event, the last one", () => {
    for (const events of [[], fullEvents.slice(0, 2), [terminal, terminal], [terminal, fullEvents[1]]])
      assert.throws(() => decodeLog(JSON.stringify(events), storedVersion), UnreadableError);
    const compacted = JSON.stringify({ throughSeq: 1, lanes: [], terminal: fullEvents[1] });
    assert.throws(() => decodeCompactedLog(compacted, storedVersion), UnreadableError);
  });

  it("every version but the known ones is refused by its number", () => {
    const request = encodeStored(fullResumables[0] ?? assert.fail());
    for (const version of [1, storedVersion]) assert.ok(decodeResumableRequest(request, version));
    for (const version of [0, storedVersion + 1, Number.NaN]) {
      assert.throws(
        () => decodeResumableRequest(request, version),
        new RegExp(`version ${version} is not known`),
      );
      assert.throws(() => decodeLog(JSON.stringify([terminal]), version), UnreadableError);
    }
  });

  it("errors of a code that this version does not know are internal errors", () => {
    const error = decodeError('{"troupe_error":"of_a_later_version","retryable":false,"retryAfterMs":null}');
    assert.deepEqual([error.code, error.retryable, error.retryAfterMs], ["internal_error", false, Infinity]);
  });

  it("the check of text by hand agrees with the schema", () => {
    const values = [undefined, null, 7, true, "x", [], {}];
    for (const type of ["text", "reasoning"])
      for (const text of values)
        for (const lane of values)
          for (const final of values) {
            const event: unknown = JSON.parse(JSON.stringify({ type, lane, text, final }));
            const isRead = (() => {
              try {
                return decodeSteps(JSON.stringify([event])).length === 1;
              } catch {
                return false;
              }
            })();
            assert.equal(isRead, storedEvent.safeParse(event).success, JSON.stringify(event));
          }
  });
});

describe("a beat of the journal", () => {
  const text = { type: "text", text: "a", final: false };
  const read = (entries: unknown, version = storedVersion) =>
    decodeBeat(JSON.stringify(entries), version).map(
      ({ turn, firstSeq, lastSeq, events, checkpoints, fault }) => [
        ...[turn, firstSeq, lastSeq, events.length, checkpoints.length],
        fault?.message,
      ],
    );

  it("keeps each readable entry, and the readable start of a broken one", () => {
    const found = read([
      [1, 4, [text, text], [fullCheckpoint]],
      [2, 7, [text, { type: "song" }, text]],
      [3, 1, [text], [{ ...fullCheckpoint, place: 7 }]],
      [4, "1", [text]],
      [5, 1, "text"],
      [6, 1, [text], {}],
      ["7", 1, [text]],
      null,
    ]);
    assert.deepEqual(
      found.map((entry) => entry.slice(0, 5)),
      [
        [1, 4, 5, 2, 1],
        [2, 7, 9, 1, 0],
        [3, 1, 1, 1, 0],
        [4, 0, 0, 0, 0],
        [5, 0, 0, 0, 0],
        [6, 1, 1, 1, 0],
        [undefined, 0, 0, 0, 0],
        [undefined, 0, 0, 0, 0],
      ],
    );
    assert.deepEqual(
      found.map((entry) => entry[5] === undefined),
      [true, false, false, false, false, false, false, false],
    );
  });

  it("of an unknown version still tells the turns and their numbers", () => {
    const later = [[1, 4, [{ type: "song" }, text], [], "more"]];
    const fault = `version ${storedVersion + 1} is not known, this program reads up to ${storedVersion}`;
    assert.deepEqual(read(later, storedVersion + 1), [[1, 4, 5, 0, 0, fault]]);
  });

  it("of version 1 may have checkpoints that count reasoning and tool events together", () => {
    const earlier = { type: "checkpoint", textUnits: 4, sideEvents: 2, place: {} };
    assert.deepEqual(read([[1, 4, [], [earlier]]], 1), [[1, 4, 3, 0, 1, undefined]]);
    assert.deepEqual(read([[1, 4, [], [earlier]]], 2)[0]?.slice(0, 5), [1, 4, 3, 0, 0]);
    assert.deepEqual(
      read([[1, 4, [], [{ ...earlier, sideEvents: "2" }]]], 1)[0]?.slice(0, 5),
      [1, 4, 3, 0, 0],
    );
  });
});
