import type { Caller } from "../../ports/caller.ts";

/** How many sockets each key has open, and each group of callers. */
export function createKeyCounter(maxPerKey: number) {
  const countByName = new Map<string, number>();

  function add(name: string, change: number): void {
    const count = (countByName.get(name) ?? 0) + change;
    if (count === 0) countByName.delete(name);
    else countByName.set(name, count);
  }

  function change({ keyId, groups = [] }: Caller, by: number): void {
    add(`key ${keyId}`, by);
    for (const { id } of groups) add(`group ${id}`, by);
  }

  return {
    /** Why the caller may not open another, as a sentence; `undefined` if it may. */
    whyFull({ keyId, limits, groups = [] }: Caller): string | undefined {
      const max = limits.connections ?? maxPerKey;
      if ((countByName.get(`key ${keyId}`) ?? 0) >= max)
        return `This key may have ${max} sockets open; TROUPE_MAX_CONNECTIONS_PER_KEY or the key's own limit says so.`;
      const full = groups.find(
        ({ id, limits }) => (countByName.get(`group ${id}`) ?? 0) >= (limits.connections ?? Infinity),
      );
      return full === undefined
        ? undefined
        : `${full.name} may have ${full.limits.connections} sockets open; TROUPE_MAX_CONNECTIONS_PER_ADDRESS and TROUPE_MAX_ANONYMOUS_CONNECTIONS say so.`;
    },
    countIn: (caller: Caller): void => change(caller, 1),
    countOut: (caller: Caller): void => change(caller, -1),
  };
}
