/**
 * A digest that is equal for equal JSON contents, in any order of their keys. Stored turns keep it, so the digested text must never
 * change for the same contents.
 */
export function contentHash(content: unknown, digest: (text: string) => string): string {
  return digest(JSON.stringify(content, sortedKeys));
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const given = value as Readonly<Record<string, unknown>>;
  // Without a prototype, `__proto__` is a key like any other.
  const sorted: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(given).sort()) sorted[key] = given[key];
  return sorted;
}
