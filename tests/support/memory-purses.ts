import type { SharedPurses, SliceRequest } from "../../src/ports/shared-purses.ts";
import type { Spending } from "../../src/ports/usage-store.ts";

interface KeptSlice {
  amount: number;
  used: number;
  spent: number;
}

/** Purses of several nodes in one process, and the recorded calls that a recount finds. */
export interface MemoryPurses {
  /** The purses as one node sees them. */
  join(name: string): SharedPurses;
  /** The node is gone, and its calls used this much. */
  leave(name: string, calls: readonly Spending[]): void;
  /** All slices and the amounts spent by nodes that are gone. */
  heldOf(day: number, purse: string): number;
  /** Returns a function that takes back everything that is told from now on, as a crash does to commits that are not on the disk. */
  keep(): () => void;
  /** Called before each ask; the ask waits for it. */
  onAsk: (requests: readonly SliceRequest[]) => Promise<void>;
}

export function createMemoryPurses(wallTimeMs: () => number = () => 0): MemoryPurses {
  const slices = new Map<string, Map<string, KeptSlice>>();
  const spentOfGone = new Map<string, number>();
  const nodes = new Set<string>();
  const calls: Spending[] = [];
  const keyOf = (day: number, purse: string) => `${day} ${purse}`;

  function elsewhere(key: string, own: string) {
    const others = [...(slices.get(key) ?? [])].filter(([name]) => name !== own);
    const sum = (of: (slice: KeptSlice) => number) => others.reduce((total, [, one]) => total + of(one), 0);
    const gone = spentOfGone.get(key) ?? 0;
    return {
      spentElsewhere: gone + sum(({ spent }) => spent),
      heldElsewhere: gone + sum(({ amount }) => amount),
      unusedElsewhere: sum(({ amount, used }) => amount - used),
      hasLeft: others.some(([name]) => !nodes.has(name)),
    };
  }

  function grant(key: string, node: string, { cap, used, spent, need, want }: SliceRequest): number {
    const ofPurse = slices.get(key) ?? new Map<string, KeptSlice>();
    slices.set(key, ofPurse);
    const had = ofPurse.get(node)?.amount ?? 0;
    const room = cap - elsewhere(key, node).heldElsewhere;
    const wished = Math.max(need, Math.min(want, need + Math.floor((room - need) / (4 * nodes.size))));
    const amount = want <= had ? Math.max(used, want) : Math.max(had, used, Math.min(room, wished));
    ofPurse.set(node, { amount, used, spent });
    return amount;
  }

  const purses: MemoryPurses = {
    onAsk: async () => undefined,
    join(node) {
      nodes.add(node);
      return {
        wallTimeMs: async () => wallTimeMs(),
        async ask(day, requests) {
          await purses.onAsk(requests);
          const granted = requests.map((request) => {
            const key = keyOf(day, request.name);
            const amount = grant(key, node, request);
            return { name: request.name, amount, ...elsewhere(key, node) };
          });
          return { slices: granted, hasLeft: granted.some(({ hasLeft }) => hasLeft) };
        },
        async recount(day, amountsOf) {
          for (const [key, ofPurse] of slices) {
            if (!key.startsWith(`${day} `)) continue;
            for (const name of ofPurse.keys()) if (!nodes.has(name)) ofPurse.delete(name);
            spentOfGone.set(key, 0);
          }
          for (const call of calls)
            for (const [name, amount] of amountsOf(call))
              spentOfGone.set(keyOf(day, name), (spentOfGone.get(keyOf(day, name)) ?? 0) + amount);
        },
        async leftDays() {
          const left = [...slices].filter(([, ofPurse]) =>
            [...ofPurse.keys()].some((name) => !nodes.has(name)),
          );
          return left.map(([key]) => Number(key.split(" ")[0]));
        },
      };
    },
    leave(node, ofNode) {
      nodes.delete(node);
      calls.push(...ofNode);
    },
    keep() {
      const kept = structuredClone(slices);
      return () => {
        slices.clear();
        for (const [key, ofPurse] of kept) slices.set(key, ofPurse);
      };
    },
    heldOf: (day, purse) => elsewhere(keyOf(day, purse), "").heldElsewhere,
  };
  return purses;
}
