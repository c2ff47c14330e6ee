import type { Caller } from "../../ports/caller.ts";

/** How many sockets each key has open. */
export function createKeyCounter(mostPerKey: number) {
  const countByKey = new Map<string, number>();
  return {
    hasRoom: ({ keyId, limits }: Caller): boolean =>
      (countByKey.get(keyId) ?? 0) < (limits.connections ?? mostPerKey),
    countIn({ keyId }: Caller): void {
      countByKey.set(keyId, (countByKey.get(keyId) ?? 0) + 1);
    },
    countOut({ keyId }: Caller): void {
      const left = (countByKey.get(keyId) ?? 1) - 1;
      if (left === 0) countByKey.delete(keyId);
      else countByKey.set(keyId, left);
    },
  };
}
