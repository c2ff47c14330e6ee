import { createAnthropicProvider } from "../../../src/adapters/anthropic/anthropic-provider.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { textMessage } from "../../../src/ports/item.ts";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import type { UpstreamProviderUnderTest } from "../../ports/provider-contract.ts";
import { createFastReads } from "../../support/fast-reads.ts";
import { createTestClock } from "../../support/test-clock.ts";

export const question: ProviderRequest = { model: "claude-sonnet-5", input: [textMessage("user", "Well?")] };

interface SetupOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly settings?: { readonly key: string; readonly baseUrl: string };
  /** Replaces the double's path `/v1`. */
  readonly path?: string;
}

/** The provider with a double as its upstream. */
export async function createAnthropicSetup(
  fastReads = createFastReads(),
  { headers, settings, path = "/v1" }: SetupOptions = {},
): Promise<UpstreamProviderUnderTest> {
  const double = await createUpstreamDouble();
  const agents = createUpstreamAgents({}, fastReads);
  const clock = createTestClock();
  return {
    ...{ double, clock, request: question },
    provider: createAnthropicProvider({
      ...{
        agents,
        clock,
        headers,
        settings,
        apiKey: "key-of-a-test",
        baseUrl: double.baseUrl.replace("/v1", path),
      },
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

/** An event of the stream, under its type as its name. */
export function frame(event: { readonly type: string }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

const head = { id: "msg_1", type: "message", role: "assistant", model: "claude-sonnet-5", content: [] };

export const begin = (usage: object = { input_tokens: 12, output_tokens: 1 }) =>
  frame({
    type: "message_start",
    ...{ message: { ...head, stop_reason: null, stop_sequence: null, usage } },
  });
export const ping = frame({ type: "ping" });
export const open = (content_block: object, index = 0) =>
  frame({ type: "content_block_start", ...{ index, content_block } });
export const grow = (delta: object, index = 0) => frame({ type: "content_block_delta", ...{ index, delta } });
export const close = (index = 0) => frame({ type: "content_block_stop", ...{ index } });
export const openText = (index = 0) => open({ type: "text", text: "" }, index);
export const text = (words: string, index = 0) => grow({ type: "text_delta", text: words }, index);
export const think = (words: string, index = 0) => grow({ type: "thinking_delta", thinking: words }, index);
export const sign = (signature: string, index = 0) => grow({ type: "signature_delta", signature }, index);
export const args = (partial_json: string, index = 0) =>
  grow({ type: "input_json_delta", partial_json }, index);
export const reason = (stop_reason: string | null, more: object = {}, usage: object = { output_tokens: 3 }) =>
  frame({ type: "message_delta", ...{ delta: { stop_reason, stop_sequence: null, ...more }, usage } });
export const stop = frame({ type: "message_stop" });
export const failure = (type: string, message = "It failed.") =>
  frame({ type: "error", ...{ error: { type, message }, request_id: "req_1" } });

/** A whole answer of one text. */
export const says = (words: string) =>
  begin() + openText() + text(words) + close() + reason("end_turn") + stop;
