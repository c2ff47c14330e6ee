import assert from "node:assert/strict";
import { it } from "node:test";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { textMessage } from "../../../src/ports/item.ts";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { describeUpstreamProvider, type UpstreamProviderUnderTest } from "../../ports/provider-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { createCohereProvider } from "./cohere-provider.ts";

const frame = (event: { type?: string }) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
const content = (fields: object) =>
  frame(Object.assign({ type: "content-delta", index: 0 }, { delta: { message: { content: fields } } }));
const tokens = { input_tokens: 507, output_tokens: 10 };
const end = (finish_reason: string) =>
  frame(Object.assign({ type: "message-end" }, { delta: { finish_reason, usage: { tokens } } }));
const opening = frame({ type: "message-start" }) + frame({ type: "content-start" });

async function create(): Promise<UpstreamProviderUnderTest> {
  const double = await createUpstreamDouble();
  const agents = createUpstreamAgents();
  const clock = createTestClock();
  const { baseUrl } = double;
  return {
    ...{ double, clock },
    provider: createCohereProvider({
      apiKey: "key-of-a-test",
      ...{ agents, baseUrl, clock, firstByteMs: 60_000, idleMs: 300_000 },
    }),
    request: { model: "command-a", input: [textMessage("user", "Well?")], includeReasoning: true },
    connections: () =>
      [...Object.values(agents.http.sockets), ...Object.values(agents.http.freeSockets)].flat().length,
    async [Symbol.asyncDispose]() {
      agents[Symbol.dispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

describeUpstreamProvider(
  "the example for Cohere",
  {
    opening,
    delta: (text) => content({ text }),
    closing: frame({ type: "content-end" }) + end("COMPLETE"),
    failure: 'data: {"message":"An internal error."}\n\n',
  },
  create,
);

it("the example for Cohere tells reasoning, usage and the reason of the end", async () => {
  await using under = await create();
  const { double, provider, request } = under;
  double.respond(
    streamScript([opening + content({ thinking: "Hm." }) + content({ text: "No" }) + end("MAX_TOKENS")]),
  );
  const events: ProviderEvent[] = [];
  for await (const batch of provider.stream({ ...request, temperature: 1 }, new AbortController()))
    events.push(...batch);
  const usage = { inputTokens: 507, outputTokens: 10, totalTokens: 517, estimated: false };
  assert.deepEqual(events, [
    { type: "started" },
    { type: "reasoning", text: "Hm." },
    { type: "text", text: "No" },
    { type: "end", finishReason: "length", model: "command-a", usage },
  ]);
  assert.deepEqual(double.requests[0]?.body, {
    ...{ model: "command-a", stream: true, temperature: 1 },
    messages: [{ role: "user", content: "Well?" }],
  });
});
