import { z } from "zod";
import type { TurnExpense } from "../../ports/budgets.ts";
import type { Caller } from "../../ports/caller.ts";
import type { Usage } from "../../ports/provider.ts";
import type { CallPlan } from "../../ports/turn-budget.ts";
import type { CallOutcome } from "../../ports/usage-store.ts";
import { caller } from "./handshake-methods.ts";
import type { Methods } from "./remote-port.ts";

/** A call that was paid for so far. */
export interface OpenedCall {
  readonly isLimited: boolean;
  readonly mostOutputTokens?: number;
  readonly coveredTokens: number;
}

/** What the process that counts does for one that runs turns, which names turns and calls by numbers. */
export interface BudgetHub {
  /** Throws as `Budgets.admit`. */
  admit(caller: Caller, inputTokens: number): Promise<void>;
  openTurn(turn: number, expense: TurnExpense): Promise<void>;
  /** Throws as `TurnBudget.open`. */
  open(turn: number, call: number, plan: CallPlan): Promise<OpenedCall>;
  /** Reserves more than so much output, where there is more; answers how much is covered now. */
  cover(call: number, outputTokens: number): Promise<number>;
  /** Throws as `CallBudget.repeat`. */
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
  budgetTokens: z.number().exactOptional(),
  lanes: count,
});
const plan = z.object({
  lane: text.exactOptional(),
  api: text,
  model: text,
  inputTokens: count,
  isBegun: z.boolean(),
  mostOutputTokens: z.number().exactOptional(),
});
const usage = z.object({
  inputTokens: count,
  outputTokens: count,
  totalTokens: count,
  estimated: z.boolean(),
});
const outcome = z.enum(["completed", "cancelled", "failed", "interrupted", "budget"]);

export const budgetHubMethods: Methods<BudgetHub> = {
  admit: z.tuple([caller, count]),
  openTurn: z.tuple([number, expense]),
  open: z.tuple([number, number, plan]),
  cover: z.tuple([number, count]),
  repeat: z.tuple([number]),
  settle: z.tuple([number, usage]),
  record: z.tuple([number, outcome, usage]),
  closeTurn: z.tuple([number]),
  today: z.tuple([]),
};
