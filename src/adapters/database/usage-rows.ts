import {
  type CallOutcome,
  callOutcomes,
  type LeftCall,
  type Spending,
  type UsageGroup,
  type UsageSum,
} from "../../ports/usage-store.ts";
import type { Row } from "./row.ts";

/** `cost_usd`: NULL if it was not recorded of all of them. */
export function toSpending(row: Row): Spending {
  return {
    ...{ keyId: String(row.key_id), api: String(row.api), model: String(row.model) },
    ...tokensOf(row),
    ...(row.cost_usd === null ? {} : { cost: Number(row.cost_usd) }),
  };
}

export function toLeftCall(row: Row): LeftCall {
  return {
    ...toSpending(row),
    owner: String(row.owner),
    requestId: String(row.request_id),
    ...(row.lane === null ? {} : { lane: String(row.lane) }),
    call: Number(row.call),
  };
}

/** A row of `sumsStatement`. */
export function toUsageSum(group: UsageGroup, row: Row): UsageSum {
  const [calls, costed] = [Number(row.calls), Number(row.costed)];
  return {
    ...fieldsOf(group, row),
    calls,
    ...tokensOf(row),
    estimated: Boolean(row.estimated),
    cost: {
      ...(costed === 0 ? {} : { usd: Number(row.cost_usd) }),
      approximate: Boolean(row.cost_approximate),
      unknownCalls: calls - costed,
    },
  };
}

function fieldsOf(group: UsageGroup, row: Row): Partial<UsageSum> {
  const [day, first, second] = [Number(row.place_day), String(row.place_first), String(row.place_second)];
  const ofRequest = (conversationId: string, requestId = "") => ({
    ...(conversationId === "" ? {} : { conversationId }),
    ...(requestId === "" ? {} : { requestId }),
  });
  switch (group) {
    case "model":
      return { day, api: first, model: second };
    case "day":
      return { day };
    case "key":
      return { keyId: first };
    case "conversation":
      return ofRequest(first);
    case "request":
      return ofRequest(first, second);
    case "call": {
      const { api, model, key_id: keyId, conversation_id: conversation, at_ms: atMs } = row;
      const outcome = outcomeOf(row);
      return {
        ...{ day, callId: second, atMs: Number(atMs) },
        ...{ api: String(api), model: String(model), keyId: String(keyId) },
        ...ofRequest(String(conversation ?? ""), first),
        ...(outcome === undefined ? {} : { outcome }),
      };
    }
  }
}

/** `undefined` for a call that runs. */
function outcomeOf({ outcome }: Row): CallOutcome | undefined {
  return callOutcomes.find((one) => one === outcome);
}

function tokensOf(row: Row) {
  return { inputTokens: Number(row.input_tokens), outputTokens: Number(row.output_tokens) };
}
