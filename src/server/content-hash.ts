/** A digest that is equal for equal JSON contents, whatever the order of their keys. */
export function contentHash(content: unknown, digest: (text: string) => string): string {
  return digest(JSON.stringify(content, sortedKeys));
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
