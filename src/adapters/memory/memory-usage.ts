import {
  type BegunCall,
  type SumPlace,
  sumsOfPage,
  type UsageStore,
  type UsageSum,
} from "../../ports/usage-store.ts";

/** A day's sum for one key and model. */
interface Sum extends UsageSum {
  readonly owner: string;
  readonly keyId: string;
}

/** Maximum number of sums; beyond it the oldest are dropped. */
const maxSums = 10_000;

/** Usage in memory: sums of days, and single calls only while they run. */
export function createMemoryUsage(): UsageStore {
  const sums = new Map<string, Sum>();
  const open = new Map<string, BegunCall>();

  function add(
    { owner, keyId, api, model }: BegunCall,
    used: Omit<UsageSum, "api" | "model" | "calls">,
  ): void {
    const name = JSON.stringify([used.day, owner, keyId, api, model]);
    const sum = sums.get(name);
    sums.set(name, {
      ...{ owner, keyId, api, model },
      day: used.day,
      calls: (sum?.calls ?? 0) + 1,
      inputTokens: (sum?.inputTokens ?? 0) + used.inputTokens,
      outputTokens: (sum?.outputTokens ?? 0) + used.outputTokens,
      estimated: (sum?.estimated ?? false) || used.estimated,
    });
    const [oldest] = sums.keys();
    if (sums.size > maxSums && oldest !== undefined) sums.delete(oldest);
  }

  return {
    begin: (call) => void open.set(call.id, call),
    extend(id, inputTokens, outputTokens) {
      const call = open.get(id);
      if (call !== undefined) open.set(id, { ...call, inputTokens, outputTokens });
    },
    end(id, { usage, day }) {
      const call = open.get(id);
      open.delete(id);
      if (call !== undefined) add(call, { day, ...usage });
    },
    // No usage outlives the process.
    takeUp: async () => ({ spent: [], left: [] }),
    async sums(owner, from, to, after) {
      const running = [...open.values()].map((call): Sum => ({ ...call, calls: 1, estimated: true }));
      const own = [...sums.values(), ...running].filter(
        (sum) => sum.owner === owner && sum.day >= from && sum.day <= to,
      );
      return [...Map.groupBy(own, ({ day, api, model }) => JSON.stringify([day, api, model])).values()]
        .flatMap(total)
        .filter((sum) => after === undefined || inOrder(after, sum) < 0)
        .toSorted(inOrder)
        .slice(0, sumsOfPage);
    },
  };
}

/** Adds up the sums of one day and model; an empty list gives none. */
function total(parts: readonly Sum[]): UsageSum[] {
  const [first] = parts;
  if (first === undefined) return [];
  const { day, api, model } = first;
  const estimated = parts.some((part) => part.estimated);
  const calls = sumOf(parts, "calls");
  const inputTokens = sumOf(parts, "inputTokens");
  const outputTokens = sumOf(parts, "outputTokens");
  return [{ day, api, model, calls, inputTokens, outputTokens, estimated }];
}

function sumOf(parts: readonly Sum[], count: "calls" | "inputTokens" | "outputTokens"): number {
  return parts.reduce((sum, part) => sum + part[count], 0);
}

function inOrder(a: SumPlace, b: SumPlace): number {
  return a.day - b.day || compare(a.api, b.api) || compare(a.model, b.model);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
