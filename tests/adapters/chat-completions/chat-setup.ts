import { createChatProvider } from "../../../src/adapters/chat-completions/chat-provider.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { textMessage } from "../../../src/ports/item.ts";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import type { UpstreamProviderUnderTest } from "../../ports/provider-contract.ts";
import { createFastReads } from "../../support/fast-reads.ts";
import { createTestClock } from "../../support/test-clock.ts";

export const question: ProviderRequest = { model: "llama3.2", input: [textMessage("user", "Well?")] };

/** The provider with a double as its upstream. */
export async function createChatSetup(fastReads = createFastReads()): Promise<UpstreamProviderUnderTest> {
  const double = await createUpstreamDouble();
  const agents = createUpstreamAgents({}, fastReads);
  const clock = createTestClock();
  return {
    ...{ double, clock, request: question },
    provider: createChatProvider({
      ...{ agents, clock, apiKey: "key-of-a-test", baseUrl: double.baseUrl },
      ...{ firstByteMs: 60_000, idleMs: 300_000 },
    }),
    connections: () =>
      [...Object.values(agents.http.sockets), ...Object.values(agents.http.freeSockets)].flat().length,
    async [Symbol.asyncDispose]() {
      agents[Symbol.dispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

/** An event of the stream. */
export function frame(chunk: object): string {
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

/** A chunk with one choice. */
export function chunk(delta: object | undefined, more: object = {}, around: object = {}): string {
  const head = { id: "c-1", object: "chat.completion.chunk", created: 1_700_000_000, model: "llama3.2:3b" };
  return frame({ ...head, choices: [{ index: 0, delta, finish_reason: null, ...more }], ...around });
}

export const text = (content: unknown) => chunk({ content });
export const finish = (finish_reason: string) => chunk({}, { finish_reason });
export const done = "data: [DONE]\n\n";
export const counts = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 };
export const usageChunk = frame({ id: "c-1", choices: [], usage: counts });
