import type { JsonSchema } from "./field-paths.ts";

/** A value as JSON text, so that it can be a value that JavaScript lacks; `undefined` leaves the field out. */
export type JsonText = string | undefined;

const strings = [
  "",
  " ",
  "NaN",
  "-1",
  "0",
  "true",
  "null",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "../../x",
  "http://169.254.169.254/latest",
  "gopher://127.0.0.1/",
  "<script>alert(1)</script>",
  "'; DROP TABLE turns; --",
  "a\u0000b",
  "a\r\nb",
  // Look-alikes: a Cyrillic letter, full-width letters, a zero-width space, a soft hyphen, an override of the direction.
  "\u043epenai",
  "\uff4f\uff50\uff45\uff4e\uff41\uff49",
  "openai\u200b",
  "tech\u00ad_enthusiast",
  "\u202etsaisuhtne_hcet",
  "x".repeat(129),
  "x".repeat(513),
  "\u{1f600}".repeat(5_000),
];

/** Values that are sent in any field, regardless of its type. */
export const hostileValues: readonly JsonText[] = [
  undefined,
  "null",
  "true",
  "false",
  ...["0", "-0", "-1", "1.5", "3", "1e9", "1e12", "1e308", "1e400", "-1e400", "5e-324", "9007199254740993"],
  ...["[]", "[null]", "[[]]", "[1,2]", '["a","a"]', "{}", '{"a":1}'],
  '{"__proto__":{"type":"ping"}}',
  '{"constructor":{"prototype":null}}',
  '{"toString":1,"hasOwnProperty":2,"valueOf":3}',
  '{"type":"web_search","type":7}',
  String.raw`"\ud800"`,
  String.raw`"\udfff tail"`,
  "[".repeat(40) + "]".repeat(40),
  `[${Array.from({ length: 1_000 }, (_, index) => `"p${index}"`).join()}]`,
  ...strings.map((value) => JSON.stringify(value)),
];

/** Values just outside and just inside the limits of a field's schema. */
export function edgeValues(schema: JsonSchema): JsonText[] {
  const values: JsonText[] = [];
  if (schema.minimum !== undefined) values.push(String(schema.minimum - 1), String(schema.minimum));
  if (schema.maximum !== undefined) values.push(String(schema.maximum), String(schema.maximum + 1));
  if (schema.type === "integer") values.push(String((schema.minimum ?? 0) + 0.5));
  if (schema.maxLength !== undefined) {
    values.push(quoted(schema.maxLength), quoted(schema.maxLength + 1));
  }
  if (schema.maxItems !== undefined) {
    values.push(listOf(schema.maxItems, "7"), listOf(schema.maxItems + 1, '"tech_enthusiast"'));
  }
  for (const known of schema.enum ?? []) {
    const text = String(known);
    values.push(
      JSON.stringify(text.toUpperCase()),
      JSON.stringify(` ${text}`),
      JSON.stringify(`${text}\u0301`),
    );
  }
  return values;
}

function quoted(length: number): string {
  return `"${"x".repeat(length)}"`;
}

function listOf(length: number, item: string): string {
  return `[${Array(length).fill(item).join()}]`;
}
