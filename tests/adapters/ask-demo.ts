import assert from "node:assert/strict";
import { createDemoProvider } from "../../src/adapters/demo/demo-provider.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { ProviderEvent, ProviderRequest } from "../../src/ports/provider.ts";

/** A clock on which waiting takes no time: each wait moves the time on and is recorded. */
export function createInstantClock() {
  let nowMs = 0;
  const sleepsMs: number[] = [];
  const clock: Clock = {
    now: () => nowMs,
    callAfter: () => () => undefined,
    async sleep(ms, signal) {
      if (signal?.aborted) return;
      sleepsMs.push(ms);
      nowMs += ms;
    },
    wallTimeMs: () => 1_790_000_000_999,
    newId: () => "unused",
  };
  return {
    clock,
    sleepsMs,
    advance(ms: number) {
      nowMs += ms;
    },
  };
}

export const user = (text: string) => textMessage("user", text);
export const assistant = (text: string) => textMessage("assistant", text);

/** A request with one question. */
export function ask(question: string, more: Partial<ProviderRequest> = {}): ProviderRequest {
  return { model: "gpt-4o-mini", input: [user(question)], ...more };
}

/** All batches of the demo provider's answer, with its default times on an instant clock. */
export async function batchesOf(request: ProviderRequest): Promise<ProviderEvent[][]> {
  const provider = createDemoProvider({ clock: createInstantClock().clock });
  return Array.fromAsync(provider.stream(request, { signal: new AbortController().signal }));
}

/** The answer's events, its end, and its joined text and reasoning. */
export async function answer(request: ProviderRequest) {
  const events = (await batchesOf(request)).flat();
  const end = events.at(-1);
  assert.ok(end?.type === "end");
  return { events, end, text: joined(events, "text"), reasoning: joined(events, "reasoning") };
}

function joined(events: readonly ProviderEvent[], type: "text" | "reasoning"): string {
  return events.map((event) => (event.type === type ? event.text : "")).join("");
}
