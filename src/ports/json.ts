/** A JSON value, as `JSON.parse` returns it. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export type JsonObject = { [key: string]: JsonValue | undefined };

/** Whether a value is a JSON object: neither `null` nor a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The objects of a list; none if it is no list. */
export function objectsIn(list: unknown): JsonObject[] {
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** Counted for a number, `true`, `false` or `null`. */
const plainChars = 6;

/**
 * About how many characters a value has as JSON. It adds up lengths without making the text, because making it for the answer of a long
 * request would block the loop for tens of milliseconds.
 */
export function jsonChars(value: unknown): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return plainChars;
  let chars = 2;
  if (Array.isArray(value)) for (const item of value) chars += jsonChars(item) + 1;
  else
    for (const name of Object.keys(value)) {
      const member = (value as JsonObject)[name];
      if (member !== undefined) chars += name.length + 4 + jsonChars(member);
    }
  return chars;
}

/**
 * Whether a JSON value has at most this many characters (`jsonChars`), with at most `maxDepth` lists and objects inside each other. It
 * reads no more of the value than that.
 */
export function isWithin(
  value: unknown,
  { maxChars, maxDepth }: { maxChars: number; maxDepth: number },
): boolean {
  let left = maxChars;
  const fits = (inner: unknown, depth: number): boolean => {
    if (typeof inner !== "object" || inner === null) left -= jsonChars(inner);
    else if (depth > maxDepth) return false;
    else
      for (const [name, member] of Object.entries(inner)) {
        left -= Array.isArray(inner) ? 1 : name.length + 4;
        if (left < 0 || !fits(member, depth + 1)) return false;
      }
    return left >= 0;
  };
  return fits(value, 1);
}
