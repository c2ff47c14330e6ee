import { createGeminiProvider } from "../../../src/adapters/gemini/gemini-provider.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { textMessage } from "../../../src/ports/item.ts";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { type Heard, hear } from "../../ports/hear.ts";
import type { UpstreamProviderUnderTest } from "../../ports/provider-contract.ts";
import { createFastReads } from "../../support/fast-reads.ts";
import { createTestClock } from "../../support/test-clock.ts";

export const question: ProviderRequest = {
  model: "gemini-3-pro-preview",
  input: [textMessage("user", "Well?")],
};

/** The provider with a double as its upstream. */
export async function createGeminiSetup(
  fastReads = createFastReads(),
  apiKey = "key-of-a-test",
): Promise<UpstreamProviderUnderTest> {
  const double = await createUpstreamDouble();
  const agents = createUpstreamAgents({}, fastReads);
  const clock = createTestClock();
  return {
    ...{ double, clock, request: question },
    provider: createGeminiProvider({
      ...{ agents, clock, apiKey, baseUrl: double.baseUrl },
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

export const counts = { promptTokenCount: 12, candidatesTokenCount: 3, totalTokenCount: 15 };

/** A chunk with one candidate. */
export function chunk(parts: readonly object[], more: object = {}, around: object = {}): string {
  const candidate = { content: { parts, role: "model" }, index: 0, ...more };
  const head = { modelVersion: "gemini-3-pro", responseId: "r-1" };
  return frame({ candidates: [candidate], usageMetadata: counts, ...head, ...around });
}

export const text = (said: unknown) => chunk([{ text: said }]);
export const thought = (said: string) => chunk([{ text: said, thought: true }]);
export const call = (functionCall: object, more: object = {}) => chunk([{ functionCall, ...more }]);
export const finish = (finishReason: string) => chunk([{ text: "" }], { finishReason });

/** Reads an answer of these events to its end. */
export async function hearEvents(
  events: readonly string[],
  changes: Partial<ProviderRequest> = {},
): Promise<Heard> {
  await using under = await createGeminiSetup();
  under.double.respond(streamScript(events));
  return await hear(under, changes);
}
