import fc from "fast-check";
import { wireLimits } from "../../src/protocol/limits.ts";
import { type FieldCase, fieldCases, fieldFrame, plainData } from "./field-frames.ts";
import { clientMessageTypes } from "./field-paths.ts";
import { binaryFrame, type Frame, textFrame } from "./frame.ts";
import { listedFrames } from "./listed-frames.ts";

const anyType = fc.constantFrom(...clientMessageTypes);
const anyText = fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }));

const plainTexts = clientMessageTypes.flatMap((type) => [
  JSON.stringify({ type, data: plainData[type] }),
  JSON.stringify({ type, id: `fuzz-${type}`, data: { ...plainData[type], pacing: { mode: "raw" } } }),
]);

/** Messages with one to three wrong fields. */
function fieldFrames(): fc.Arbitrary<Frame> {
  const byType = Map.groupBy(fieldCases(), ({ type }) => type);
  return anyType.chain((type) => {
    const cases: readonly FieldCase[] = byType.get(type) ?? [];
    const chosen = fc.array(fc.constantFrom(...cases), { minLength: 1, maxLength: 3 });
    return chosen.map((some) => fieldFrame(type, some));
  });
}

/** A correct envelope around any value. */
const envelopes = fc
  .record(
    { type: fc.oneof(anyType, anyText), id: fc.oneof(anyText, fc.jsonValue()), data: fc.jsonValue() },
    { requiredKeys: ["type"] },
  )
  .map((message) => textFrame(JSON.stringify(message)));

/** Known field names with values of any kind. */
const filledIn = anyType.chain((type) =>
  fc
    .dictionary(
      fc.constantFrom(...Object.keys(plainData[type]), "options", "pacing", "tools"),
      fc.jsonValue(),
    )
    .map((data) => textFrame(JSON.stringify({ type, data: { ...plainData[type], ...data } }))),
);

/** Replaces bytes by others. Every kind of damage to a frame can be made of these. */
interface Splice {
  readonly at: number;
  readonly removed: number;
  /** New bytes, or how many of the existing bytes are doubled. */
  readonly added: string | number;
}

const splices: fc.Arbitrary<Splice> = fc.record({
  at: fc.nat(1_000),
  removed: fc.oneof(fc.constantFrom(0, 1, Number.POSITIVE_INFINITY), fc.nat(8)),
  added: fc.oneof(
    fc.constant(""),
    fc.constantFrom(...'{}[]",:\\0-e.tn \u0000'),
    fc.nat(255).map((code) => String.fromCharCode(code)),
    fc.nat(20),
  ),
});

function splice(bytes: Buffer, { at, removed, added }: Splice): Buffer {
  const start = at % (bytes.length + 1);
  const between =
    typeof added === "string" ? Buffer.from(added, "latin1") : bytes.subarray(start, start + added);
  return Buffer.concat([bytes.subarray(0, start), between, bytes.subarray(start + removed)]);
}

/** A correct message whose bytes were changed. Sometimes it is still correct. */
const damaged = fc
  .tuple(fc.constantFrom(...plainTexts), fc.array(splices, { minLength: 1, maxLength: 4 }))
  .map(([text, some]) => textFrame(some.reduce(splice, Buffer.from(text))));

const deep = fc
  .tuple(fc.constantFrom("[", '{"a":'), fc.integer({ min: 1, max: 20_000 }))
  .map(([open, depth]) =>
    textFrame(
      `{"type":"ping","data":{"a":${open.repeat(depth)}1${(open === "[" ? "]" : "}").repeat(depth)}}}`,
    ),
  );

const inPieces = fc
  .tuple(fc.constantFrom(...plainTexts), fc.integer({ min: 2, max: wireLimits.messageFragments + 12 }))
  .map(([text, fragments]) => textFrame(text.padEnd(fragments, " "), fragments));

/** Any frame that a broken, careless or hostile client could send. A few are correct. */
export function anyFrame(): fc.Arbitrary<Frame> {
  return fc.oneof(
    { weight: 30, arbitrary: fieldFrames() },
    { weight: 25, arbitrary: damaged },
    { weight: 10, arbitrary: envelopes },
    { weight: 10, arbitrary: filledIn },
    {
      weight: 8,
      arbitrary: fc.constantFrom(...listedFrames().filter(({ bytes }) => bytes.length < 100_000)),
    },
    { weight: 6, arbitrary: anyText.map((text) => textFrame(text)) },
    { weight: 4, arbitrary: fc.json().map((text) => textFrame(text)) },
    { weight: 3, arbitrary: fc.oneof(fc.constantFrom(...plainTexts), anyText).map(binaryFrame) },
    { weight: 2, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => textFrame(bytes)) },
    { weight: 1, arbitrary: deep },
    { weight: 1, arbitrary: inPieces },
  );
}
