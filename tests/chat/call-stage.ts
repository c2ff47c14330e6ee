import { createSqliteStore } from "../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteUsage } from "../../src/adapters/sqlite/sqlite-usage.ts";
import { type Lane, runLane } from "../../src/chat/lane.ts";
import type { LaneResult } from "../../src/chat/lane-result.ts";
import { textMessage, userText } from "../../src/ports/item.ts";
import type { ProviderEvent, ProviderRequest } from "../../src/ports/provider.ts";
import type { TurnStep } from "../../src/ports/turn-event.ts";
import { createTurnBudget } from "../../src/server/budget/budgets.ts";
import { createDayBudgets } from "../../src/server/budget/day-budgets.ts";
import { dataFolder, failing } from "../adapters/sqlite/open-store.ts";
import { noPrices } from "../support/no-prices.ts";
import { openBeside } from "../support/open-beside.ts";
import { createTestClock } from "../support/test-clock.ts";
import { type ChatSetup, createChatSetup, type ProviderScript, say } from "./chat-setup.ts";
import { laneOf } from "./run-a-lane.ts";

/** The words of three calls; together they are one text. */
export const calls = [
  ["Look", " it", " up. "],
  ["Two", " more", " things", " to", " find. "],
  ["All", " is", " found."],
] as const;
export const wholeText = calls.flat().join("");

/** The usage that the provider tells of each of these calls. */
export const usageOf = (call: number) => ({
  ...{ inputTokens: 10 + call, outputTokens: 20, totalTokens: 30 + call, estimated: false },
});

export const requestOf = (call: number): ProviderRequest => ({
  model: "model-asked",
  input: [textMessage("user", `call-${call}`)],
});

/** The number of the call that a request is for. */
export const callOf = ({ input }: ProviderRequest) => Number(userText(input).slice("call-".length));

/** A lane of these three calls, before its budget is known. */
export const threeCalls: Pick<Lane, "request" | "nextRequest"> = {
  request: requestOf(0),
  nextRequest: (_, index) => (index < 2 ? requestOf(index + 1) : undefined),
};

/** Plays the calls a word at a time. After every second word there is a checkpoint, from which the call can be resumed. */
export function playing(beforeWord: (call: number, word: number, signal: AbortSignal) => Promise<void>) {
  const script: ProviderScript = async function* ({ request, from, signal }) {
    const call = callOf(request);
    const words = calls[call] ?? [];
    const start = from === undefined ? 0 : Number(from.words);
    for (let word = start; word < words.length; word += 1) {
      await beforeWord(call, word, signal);
      signal.throwIfAborted();
      if (word === 0) yield [{ type: "started", response: { call, status: "in_progress" } }];
      const said = say(words[word] ?? "");
      yield word % 2 === 0 ? [said, { type: "checkpoint", place: { call, words: word + 1 } }] : [said];
    }
    yield [endOf(call)];
  };
  return script;
}

function endOf(call: number): ProviderEvent {
  const finishReason = call < 2 ? "tool_calls" : "stop";
  return { type: "end", finishReason, model: `model-${call}`, usage: usageOf(call), response: { call } };
}

export const playAll = playing(async () => undefined);

/** One process that runs the lane. */
export interface LaneProcess extends AsyncDisposable {
  readonly setup: ChatSetup;
  readonly lane: Lane;
  /** Everything that was stored, in order. */
  readonly steps: TurnStep[];
  /** Stores steps, until the process has crashed. */
  readonly emit: (steps: readonly TurnStep[]) => Promise<void>;
  /** Nothing is stored any more, and no write of the lane settles. */
  crash(): void;
  /** Tokens that count as spent today. */
  spent(): number | undefined;
  /** The rows of all calls in the database: lane, call, outcome, input and output. */
  rows(): Promise<unknown[][]>;
}

/** Runs the lane to its end; `onStep` sees each step when it is stored. */
export const play = (
  { lane, setup, emit }: LaneProcess,
  onStep: (step: TurnStep) => void = () => undefined,
): Promise<LaneResult> =>
  runLane(lane, setup.dependencies, async (steps) => {
    await emit(steps);
    steps.forEach(onStep);
  });

export const textOf = (steps: readonly TurnStep[]) =>
  steps.map((step) => (step.type === "text" ? step.text : "")).join("");

export const finals = (steps: readonly TurnStep[]) =>
  steps.filter((step) => step.type === "text" && step.final);

/** The numbers of the calls that a process made. */
export const made = ({ setup }: LaneProcess) => setup.choice.requests.map(callOf);

/** The row of a completed call. */
export const completedRow = (call: number) => ["ada", call, "completed", 10 + call, 20];

export type CallStage = Awaited<ReturnType<typeof openCallStage>>;

/** Processes, one after the other, that count their calls in one database with real budgets. */
export async function openCallStage() {
  const place = await dataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  return {
    async open(
      script: ProviderScript,
      budgetTokens?: number,
      changes: Partial<Lane> = {},
    ): Promise<LaneProcess> {
      const store = await createSqliteStore({
        clock,
        file: place.file,
        synchronous: "NORMAL",
        observer: failing,
      });
      const usage = createSqliteUsage({ store, keepDays: 10 });
      const database = openBeside(place.file, { readOnly: true });
      const days = createDayBudgets({ clock, usage, limits: {}, prices: noPrices });
      await days.takeUp();
      const caller = { owner: "ada", keyId: "key-1", limits: {} };
      const expense = { caller, requestId: "r", lanes: 1 };
      const budget = createTurnBudget(
        { ...expense, ...(budgetTokens === undefined ? {} : { budgetTokens }) },
        { clock, usage, days, stepTokens: 256 },
      );
      const setup = createChatSetup(script);
      const steps: TurnStep[] = [];
      let hasCrashed = false;
      return {
        setup,
        lane: laneOf(setup, { ...threeCalls, budget, ...changes }),
        steps,
        async emit(more) {
          if (hasCrashed) await new Promise<never>(() => undefined);
          steps.push(...more);
        },
        crash() {
          hasCrashed = true;
        },
        spent: () =>
          days.purses(caller, { api: "openai", model: "model-asked", inputTokens: 0 })[0]?.ledger.spent,
        async rows() {
          // A read comes after all earlier writes.
          await usage.sums("nobody", 0, 0);
          const rows = database.prepare("SELECT * FROM usage ORDER BY number").all();
          return rows.map(({ lane, call, outcome, input_tokens, output_tokens }) => [
            ...[lane, call, outcome, input_tokens, output_tokens],
          ]);
        },
        async [Symbol.asyncDispose]() {
          database.close();
          await store[Symbol.asyncDispose]();
        },
      };
    },
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}
