import { createMemoryConversations } from "../../src/adapters/memory/memory-conversations.ts";
import { createMemoryResponses } from "../../src/adapters/memory/memory-responses.ts";
import { createMemoryVendorIds } from "../../src/adapters/memory/memory-vendor-ids.ts";
import { sha256 } from "../../src/adapters/system/system.ts";
import type { QuestionStore } from "../../src/adapters/turn-log/memory-turn-logs.ts";
import {
  Cancellation,
  type ChatDependencies,
  type Emit,
  type TurnContext,
} from "../../src/chat/chat-context.ts";
import type { JsonObject } from "../../src/ports/json.ts";
import type { Provider, ProviderChoice, ProviderEvent, ProviderRequest } from "../../src/ports/provider.ts";
import { isEvent, type TurnEvent } from "../../src/ports/turn-event.ts";
import { noPrices } from "../support/no-prices.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { createNotedBudget, type NotedBudget } from "./noted-budget.ts";
import { personas } from "./personas.ts";

/** A scripted call: it yields batches, may throw, and gets a signal that stops it. */
export type ProviderScript = (call: {
  readonly request: ProviderRequest;
  /** The place at which an earlier call's answer is resumed. */
  readonly from: JsonObject | undefined;
  readonly signal: AbortSignal;
  readonly clock: TestClock;
  /** Number of calls before this one. */
  readonly index: number;
}) => AsyncIterable<ProviderEvent[]>;

export interface ScriptedChoice extends ProviderChoice {
  /** Every call that was made, in order. */
  readonly requests: readonly ProviderRequest[];
}

export interface ChatSetup {
  readonly clock: TestClock;
  readonly dependencies: ChatDependencies;
  /** The conversations of `dependencies`, unless others were given. Logs store questions into them. */
  readonly questions: QuestionStore;
  readonly choice: ScriptedChoice;
  readonly context: Omit<TurnContext, "emit">;
  readonly budget: NotedBudget;
  /** Stops the turn, or one of its lanes, as a client does. */
  cancel(lane?: string): void;
  /** Ends the turn with this reason. */
  abort(reason: unknown): void;
}

/** Everything that chat code needs, around one scripted provider. Short sleeps pass at once. */
export function createChatSetup(
  script: ProviderScript,
  changes: Partial<ChatDependencies> & { readonly simulated?: boolean; readonly budget?: NotedBudget } = {},
): ChatSetup {
  const { simulated = false, budget = createNotedBudget(), ...dependencies } = changes;
  const clock = createTestClock({ instantMs: 1_000 });
  const conversations = createMemoryConversations({ clock, maxBytes: 1_000_000 });
  const requests: ProviderRequest[] = [];
  const provider: Provider = {
    name: "scripted",
    simulated,
    stream(request, { signal, from }) {
      requests.push(request);
      return script({ request, from, signal, clock, index: requests.length - 1 });
    },
  };
  const choice = { provider, api: "openai", model: "model-asked", requests };
  const turn = new AbortController();
  const lanes = new Map<string, AbortController>();
  const laneOf = (lane: string): AbortController => {
    const own = lanes.get(lane) ?? new AbortController();
    lanes.set(lane, own);
    return own;
  };
  return {
    clock,
    choice,
    questions: conversations,
    dependencies: {
      clock,
      providers: { choose: () => choice },
      personas: {
        find: async (_owner, id) => personas.find((persona) => persona.id === id),
        list: async () => [...personas],
      },
      prices: noPrices,
      conversations,
      vendorIds: createMemoryVendorIds({ clock }),
      outputs: { check: async () => ({ fits: true }) },
      responses: createMemoryResponses({ clock, retentionMs: 60_000 }),
      retry: {
        maxRetries: 2,
        firstDelayMs: 500,
        maxDelayMs: 8_000,
        maxAskedDelayMs: 20_000,
        random: () => 0,
      },
      digest: sha256,
      contextChars: 1_000,
      maxAnswerChars: 10_000,
      ...dependencies,
    },
    budget,
    context: {
      onSent: () => undefined,
      onResponse: () => undefined,
      isFull: () => false,
      budget,
      signal: turn.signal,
      laneSignal: (lane) => AbortSignal.any([turn.signal, laneOf(lane).signal]),
    },
    cancel(lane) {
      const controller = lane === undefined ? turn : laneOf(lane);
      controller.abort(new Cancellation("stopped"));
    },
    abort: (reason) => turn.abort(reason),
  };
}

/** The outcome of an answer: all its events, and its result or error. */
export interface Played<R> {
  readonly events: TurnEvent[];
  readonly result?: R;
  readonly thrown?: unknown;
}

/** Runs an answer to its end; `onBatch` may act between two batches. */
export async function play<R>(
  answer: (emit: Emit) => Promise<R>,
  onBatch: (batch: readonly TurnEvent[]) => void = () => undefined,
): Promise<Played<R>> {
  const events: TurnEvent[] = [];
  try {
    const result = await answer(async (steps) => {
      const batch = steps.filter(isEvent);
      events.push(...batch);
      onBatch(batch);
    });
    return { events, result };
  } catch (thrown) {
    return { events, thrown };
  }
}

/** An event in short form, for comparing orders: its type, and its text or status. */
export function brief(event: TurnEvent): string {
  switch (event.type) {
    case "status":
      return event.retry === undefined ? event.status : `${event.status} again`;
    case "text":
      return `${event.final ? "final " : ""}"${event.text}"`;
    default:
      return event.type;
  }
}

export const end: ProviderEvent = {
  type: "end",
  finishReason: "stop",
  model: "model-given",
  usage: { inputTokens: 3, outputTokens: 4, totalTokens: 7, estimated: false },
};

export const say = (text: string): ProviderEvent => ({ type: "text", text });

/** Answers with this text at once. */
export function answering(text: string): ProviderScript {
  return async function* () {
    yield [say(text), end];
  };
}

/** Yields a text, then waits until it is aborted. */
export async function* sayThenWait(text: string, signal: AbortSignal): AsyncGenerator<ProviderEvent[]> {
  yield [say(text)];
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  signal.throwIfAborted();
}
