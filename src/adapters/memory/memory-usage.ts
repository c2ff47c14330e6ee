import {
  type BegunCall,
  type CallOutcome,
  placeOfSum,
  recordedCost,
  type SumPlace,
  sumsOfPage,
  type UsageGroup,
  type UsageStore,
  type UsageSum,
} from "../../ports/usage-store.ts";

/** The use of a call, or of the calls of one day, key and model that are not told apart any more. */
interface Used {
  readonly owner: string;
  readonly keyId: string;
  readonly api: string;
  readonly model: string;
  readonly day: number;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly estimated: boolean;
  readonly cost: UsageSum["cost"];
}

interface OneCall extends Used, Pick<BegunCall, "id" | "requestId" | "conversationId" | "atMs"> {
  readonly outcome?: CallOutcome;
}

/** Maximum number of ended calls that are kept; the oldest are summed up. */
const maxCalls = 2_000;
/** Maximum number of sums; beyond it the oldest are dropped. */
const maxSums = 8_000;

/** Usage in memory: the last calls, and the sums of those before by day, key and model. */
export function createMemoryUsage(): UsageStore {
  const sums = new Map<string, Used>();
  const running = new Map<string, OneCall>();
  /** Ended calls, oldest first. */
  const ended = new Map<string, OneCall>();

  function sumUp({ owner, keyId, api, model, day, ...figures }: OneCall): void {
    const name = JSON.stringify([day, owner, keyId, api, model]);
    const facts = { owner, keyId, api, model, day };
    const before = sums.get(name);
    sums.set(name, { ...facts, ...added(before === undefined ? [figures] : [before, figures]) });
    const [oldest] = sums.keys();
    if (sums.size > maxSums && oldest !== undefined) sums.delete(oldest);
  }

  return {
    begin: (call) => void running.set(call.id, callOf(call)),
    extend(id, inputTokens, outputTokens) {
      const call = running.get(id);
      if (call !== undefined) running.set(id, { ...call, inputTokens, outputTokens });
    },
    end(id, { usage, outcome, day }) {
      const call = running.get(id);
      running.delete(id);
      if (call === undefined) return;
      const { inputTokens, outputTokens, estimated } = usage;
      const cost = costOf(recordedCost(usage));
      ended.set(id, { ...call, day, inputTokens, outputTokens, estimated, cost, outcome });
      const [oldest] = ended.values();
      if (ended.size <= maxCalls || oldest === undefined) return;
      ended.delete(oldest.id);
      sumUp(oldest);
    },
    // No usage outlives the process.
    takeUp: async () => ({ spent: [], left: [] }),
    async sums(owner, from, to, group = "model", after = { day: -1, first: "", second: "" }) {
      const all = [...(group === "call" ? [] : sums.values()), ...ended.values(), ...running.values()];
      const own = all.filter((used) => used.owner === owner && used.day >= from && used.day <= to);
      return [...Map.groupBy(own, (used) => JSON.stringify(fieldsOf(group, used))).values()]
        .flatMap(([first, ...more]) =>
          first === undefined ? [] : [{ ...fieldsOf(group, first), ...added([first, ...more]) }],
        )
        .filter((sum) => inOrder(after, placeOfSum(group, sum)) < 0)
        .toSorted((a, b) => inOrder(placeOfSum(group, a), placeOfSum(group, b)))
        .slice(0, sumsOfPage);
    },
  };
}

/** A call that runs counts as reserved. */
function callOf(call: BegunCall): OneCall {
  return { ...call, calls: 1, estimated: true, cost: costOf(undefined) };
}

function costOf(
  known: { readonly usd: number; readonly approximate: boolean } | undefined,
): UsageSum["cost"] {
  return known === undefined ? { approximate: false, unknownCalls: 1 } : { ...known, unknownCalls: 0 };
}

type Figures = Pick<UsageSum, "calls" | "inputTokens" | "outputTokens" | "estimated" | "cost">;

function added(parts: readonly Figures[]): Figures {
  const sumOf = (of: (part: Figures) => number) => parts.reduce((sum, part) => sum + of(part), 0);
  const isKnown = parts.some(({ cost }) => cost.usd !== undefined);
  return {
    calls: sumOf(({ calls }) => calls),
    inputTokens: sumOf(({ inputTokens }) => inputTokens),
    outputTokens: sumOf(({ outputTokens }) => outputTokens),
    estimated: parts.some(({ estimated }) => estimated),
    cost: {
      ...(isKnown ? { usd: sumOf(({ cost }) => cost.usd ?? 0) } : {}),
      approximate: parts.some(({ cost }) => cost.approximate),
      unknownCalls: sumOf(({ cost }) => cost.unknownCalls),
    },
  };
}

/** The fields that a group's sums have in common; of `call`, all that is told of it. */
function fieldsOf(group: UsageGroup, used: Used | OneCall): Partial<UsageSum> {
  const { day, api, model, keyId } = used;
  const { requestId, conversationId }: Partial<OneCall> = used;
  const ofConversation = conversationId === undefined ? {} : { conversationId };
  const ofRequest = { ...ofConversation, ...(requestId === undefined ? {} : { requestId }) };
  switch (group) {
    case "model":
      return { day, api, model };
    case "day":
      return { day };
    case "key":
      return { keyId };
    case "conversation":
      return ofConversation;
    case "request":
      return ofRequest;
    case "call": {
      if (!("id" in used)) return {};
      const { id: callId, atMs, outcome } = used;
      return {
        ...{ day, callId, atMs, api, model, keyId, ...ofRequest },
        ...(outcome === undefined ? {} : { outcome }),
      };
    }
  }
}

function inOrder(a: SumPlace, b: SumPlace): number {
  return a.day - b.day || compare(a.first, b.first) || compare(a.second, b.second);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
