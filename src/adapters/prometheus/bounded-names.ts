/** The label value of everything that has no place of its own. */
const otherName = "other";

/**
 * Keeps a label to a known set of values. A caller chooses the model of its request, and each value of a label is kept for good. Free
 * text there would fill the memory, and would publish the callers' own words.
 */
export function knownNames(known: Iterable<string>): (name: string) => string {
  const names = new Set(known);
  return (name) => (names.has(name) ? name : otherName);
}

/** Keeps a label to the first `max` values, for values of the server's own tables. */
export function firstNames(max: number): (name: string) => string {
  const names = new Set<string>();
  return (name) => {
    if (names.has(name)) return name;
    if (names.size >= max) return otherName;
    names.add(name);
    return name;
  };
}
