import { wireLimits } from "../../src/protocol/limits.ts";
import type { JsonSchema } from "./field-paths.ts";

/** A value, as JSON text, that costs as much to read as its length allows. */
export interface CostlyValue {
  readonly name: string;
  readonly json: string;
}

/** Characters of one value by default. With the message around it, it just fits into a frame. */
const frameChars = 1_000_000;
const depth = 10_000;

/** Makes containers of at most `chars` characters. */
function makerOf(chars: number) {
  /** As many items as fit, at most `count`, joined by commas. */
  function items(count: number, itemAt: (index: number) => string): string {
    const parts: string[] = [];
    for (let length = 0; parts.length < count; ) {
      const item = itemAt(parts.length);
      length += item.length + 1;
      if (length > chars) break;
      parts.push(item);
    }
    return parts.join();
  }

  const array = (count: number, itemAt: (index: number) => string) => `[${items(count, itemAt)}]`;
  const object = (count: number, valueAt: (index: number) => string) =>
    `{${items(count, (index) => `"${nameAt(index)}":${valueAt(index)}`)}}`;
  return { items, array, object };
}

/** Different names of the same length, so that V8 shares no shape between objects. */
const nameAt = (index: number) => index.toString(36).padStart(4, "0");
const nested = (open: string, inner: string, close: string, levels: number) =>
  open.repeat(levels) + inner + close.repeat(levels);
const zero = () => "0";

/** Containers of every shape, once at the maximum size and once just within the limit of values. */
function containers(chars: number): CostlyValue[] {
  const { items, array, object } = makerOf(chars);
  const allowed = wireLimits.messageValues - 100;
  const counts = [
    ["as many as fit", chars, chars],
    ["as many as allowed", allowed, wireLimits.objectMembers - 10],
  ] as const;
  return counts.flatMap(([amount, count, members]) => [
    { name: `numbers, ${amount}`, json: array(count, zero) },
    { name: `fractions, ${amount}`, json: array(count, (index) => `0.${index + 1}`) },
    { name: `nulls, ${amount}`, json: array(count, () => "null") },
    { name: `strings, ${amount}`, json: array(count, (index) => `"${nameAt(index)}"`) },
    {
      name: `strings that share the frame, ${amount}`,
      json: array(count, () => `"${"x".repeat(Math.max(1, chars / allowed - 4))}"`),
    },
    { name: `empty objects, ${amount}`, json: array(count, () => "{}") },
    { name: `empty arrays, ${amount}`, json: array(count, () => "[]") },
    { name: `pairs of arrays, ${amount}`, json: array(count / 2, () => "[[]]") },
    {
      name: `objects of one name each, ${amount}`,
      json: array(count / 2, (index) => `{"${nameAt(index)}":0}`),
    },
    {
      name: `objects of twenty names each, ${amount}`,
      json: array(count / 21, (index) => {
        const members = Array.from({ length: 20 }, (_, at) => `"${nameAt(20 * index + at)}":0`);
        return `{${members.join()}}`;
      }),
    },
    { name: `names, ${amount}`, json: object(Math.min(count, members), zero) },
    { name: `names with lists, ${amount}`, json: object(Math.min(count, members), () => "[0]") },
    { name: `names with strings, ${amount}`, json: object(Math.min(count, members), () => '"a"') },
    {
      name: `numbers as names, ${amount}`,
      json: `{${items(Math.min(count, members), (index) => `"${index * 97_777}":0`)}}`,
    },
    {
      name: `large objects, ${amount}`,
      json: `{${items(Math.ceil(count / members), (index) => `"${index}":${object(members, (at) => `"${nameAt(index * members + at)}"`)}`)}}`,
    },
    {
      name: `deep lists side by side, ${amount}`,
      json: array(count / 28, () => nested("[", "", "]", 28)),
    },
  ]);
}

/** Strings of every kind. */
function strings(chars: number): CostlyValue[] {
  return [
    { name: "letters", json: `"${"x".repeat(chars)}"` },
    { name: "letters beyond Latin", json: `"${"\u4e16".repeat(chars / 3)}"` },
    { name: "letters with one beyond Latin", json: `"\u4e16${"x".repeat(chars - 8)}"` },
    { name: "lone surrogates", json: `"${String.raw`\ud800`.repeat(chars / 6)}"` },
    { name: "letters and a lone surrogate", json: `"\u4e16${"x".repeat(chars - 16)}${String.raw`\ud800`}"` },
    { name: "escaped quotes", json: `"${String.raw`\"`.repeat(chars / 2)}"` },
    { name: "spaces", json: `"${" ".repeat(chars)}"` },
    { name: "line ends", json: `"${String.raw`\n`.repeat(chars / 2)}"` },
    { name: "dots", json: `"${".".repeat(chars)}"` },
  ];
}

function others(chars: number): CostlyValue[] {
  const { array, object } = makerOf(chars);
  return [
    { name: "a number of many digits", json: "9".repeat(chars) },
    { name: "a fraction of many digits", json: `0.${"1".repeat(chars - 2)}` },
    { name: "a number beyond all", json: "1e999999" },
    { name: "deep arrays", json: nested("[", "", "]", depth) },
    { name: "deep objects", json: nested('{"a":', "0", "}", depth) },
    { name: "arrays as deep as fit", json: nested("[", "", "]", chars / 2) },
    { name: "objects as deep as fit", json: nested('{"a":', "0", "}", chars / 6) },
    { name: "an array of 100,000", json: array(100_000, zero) },
    { name: "10,000 names", json: object(10_000, zero) },
    { name: "an array that never ends", json: "[".repeat(chars) },
    { name: "a string that never ends", json: `"${"x".repeat(chars)}` },
    { name: "white space", json: `${" ".repeat(chars)}0` },
  ];
}

function everywhere(chars: number): CostlyValue[] {
  return [...strings(chars), ...containers(chars), ...others(chars)];
}

const inAnyFrame = everywhere(frameChars);

/** All values that could be costly in a field: values that are costly anywhere, and values that make its own schema work. */
export function costlyValues(schemas: readonly JsonSchema[], chars = frameChars): CostlyValue[] {
  const anywhere = chars === frameChars ? inAnyFrame : everywhere(chars);
  return [...anywhere, ...schemas.flatMap((schema) => ofSchema(schema, chars))];
}

function ofSchema(schema: JsonSchema, chars: number): CostlyValue[] {
  const { pattern, maxLength, maxItems, items: itemSchema } = schema;
  const { array, object } = makerOf(chars);
  const values: CostlyValue[] = [];
  if (pattern !== undefined) {
    const letter = [..."ax0.:_- "].find((one) => new RegExp(pattern, "u").test(one.repeat(8))) ?? "a";
    for (const tail of ["", String.raw`\n`, " ", "!"])
      values.push({
        name: `nearly ${pattern}, ${JSON.stringify(tail)} at its end`,
        json: `"${letter.repeat(chars - 2)}${tail}"`,
      });
  }
  if (maxLength !== undefined && maxLength < chars)
    values.push({
      name: "names of the right length",
      json: array(chars, () => `"${"x".repeat(maxLength)}"`),
    });
  if (maxItems !== undefined) {
    for (const json of ["{}", "0", '"a b"', `"${"x".repeat(chars / maxItems - 4)}"`])
      values.push({ name: `${maxItems} times ${json.slice(0, 8)}`, json: array(maxItems, () => json) });
    if (itemSchema?.type === "object")
      values.push({
        name: `${maxItems} large items`,
        json: array(maxItems, (index) =>
          object(wireLimits.messageValues / maxItems - 2, (at) => `"${nameAt(index * 1000 + at)}"`).replace(
            "{",
            '{"type":"t",',
          ),
        ),
      });
  }
  return values;
}
