import type { LeftCall, Spending, UsageSum } from "../../ports/usage-store.ts";
import type { Row } from "./row.ts";

export function toSpending(row: Row): Spending {
  return { keyId: String(row.key_id), api: String(row.api), model: String(row.model), ...tokensOf(row) };
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

export function toUsageSum(row: Row): UsageSum {
  return {
    day: Number(row.day),
    api: String(row.api),
    model: String(row.model),
    calls: Number(row.calls),
    ...tokensOf(row),
    estimated: Boolean(row.estimated),
  };
}

function tokensOf(row: Row) {
  return { inputTokens: Number(row.input_tokens), outputTokens: Number(row.output_tokens) };
}
