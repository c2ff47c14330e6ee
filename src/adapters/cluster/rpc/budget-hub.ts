import { z } from "zod";
import type { TurnExpense } from "../../../ports/budgets.ts";
import type { Caller } from "../../../ports/caller.ts";
import type { Usage } from "../../../ports/provider.ts";
import type { CallPlan } from "../../../ports/turn-budget.ts";
import { type CallOutcome, callOutcomes } from "../../../ports/usage-store.ts";
import { caller } from "./handshake-methods.ts";
import { type Methods, nothing } from "./remote-port.ts";

/** An opened call, and how much of its output is reserved. */
export interface OpenedCall {
  readonly isLimited: boolean;
  readonly maxOutputTokens?: number;
  readonly coveredTokens: number;
}

/** The methods that the process with the budgets offers to one that runs turns. The caller names turns and calls by numbers. */
export interface BudgetHub {
  /** Throws like `Budgets.admit`. */
  admit(caller: Caller, inputTokens: number): Promise<void>;
  openTurn(turn: number, expense: TurnExpense): Promise<void>;
  /** Throws like `TurnBudget.open`. */
  open(turn: number, call: number, plan: CallPlan): Promise<OpenedCall>;
  /** Reserves more than this output if the budget allows; returns how much is covered now. */
  cover(call: number, outputTokens: number): Promise<number>;
  /** Throws like `CallBudget.repeat`. */
  repeat(call: number): Promise<void>;
  settle(call: number, usage: Usage): Promise<void>;
  record(call: number, outcome: CallOutcome, usage: Usage): Promise<void>;
  closeTurn(turn: number): Promise<void>;
  today(): Promise<number>;
}

const text = z.string();
const number = z.int();
const count = z.int().min(0);

const expense = z.object({
  caller,
  requestId: text.exactOptional(),
  conversationId: text.exactOptional(),
  budgetTokens: z.number().exactOptional(),
  lanes: count,
});
const plan = z.object({
  lane: text.exactOptional(),
  call: count.exactOptional(),
  api: text,
  model: text,
  inputTokens: count,
  isFallback: z.literal(true).exactOptional(),
  isBegun: z.boolean(),
  maxOutputTokens: z.number().exactOptional(),
});
const openedCall = z.object({
  isLimited: z.boolean(),
  maxOutputTokens: z.number().exactOptional(),
  coveredTokens: z.number(),
});
const usage = z.object({
  inputTokens: count,
  cachedTokens: count.exactOptional(),
  cacheWriteTokens: count.exactOptional(),
  outputTokens: count,
  reasoningTokens: count.exactOptional(),
  totalTokens: count,
  estimated: z.boolean(),
  cost: z
    .object({ usd: z.number(), approximate: z.boolean(), partial: z.literal(true).exactOptional() })
    .exactOptional(),
});
const outcome = z.enum(callOutcomes);

export const budgetHubMethods: Methods<BudgetHub> = {
  admit: [z.tuple([caller, count]), nothing],
  openTurn: [z.tuple([number, expense]), nothing],
  open: [z.tuple([number, number, plan]), openedCall],
  cover: [z.tuple([number, count]), z.number()],
  repeat: [z.tuple([number]), nothing],
  settle: [z.tuple([number, usage]), nothing],
  record: [z.tuple([number, outcome, usage]), nothing],
  closeTurn: [z.tuple([number]), nothing],
  today: [z.tuple([]), number],
};
