import assert from "node:assert/strict";
import { it } from "node:test";
import type { Heard } from "../../ports/hear.ts";
import { describeRecordedStreams } from "../../ports/recorded-streams-suite.ts";
import { createAnthropicSetup } from "./anthropic-setup.ts";
import {
  type FullMessage,
  messageFramings,
  readMessageInFull,
  recordedMessages,
} from "./recorded-messages.ts";

const streams = recordedMessages();
const ends: Readonly<Record<string, string>> = {
  end_turn: "stop",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

function checkEnd(heard: Heard, full: FullMessage): void {
  const { end, thrown, events } = heard;
  assert.deepEqual([thrown, end?.finishReason, end?.model], [undefined, ends[full.stop ?? ""], full.model]);
  const items = end?.items ?? [];
  assert.deepEqual(
    items.filter((item) => item.type === "tool-call"),
    full.calls.map((call) => ({ type: "tool-call", ...call })),
  );
  assert.deepEqual(
    items.flatMap((item) => (item.type === "source" ? item.url : [])),
    full.sources,
  );
  const { signatures } = full;
  assert.deepEqual(
    items.flatMap((item) => (item.type === "reasoning" ? [item.providerState?.state.signature] : [])),
    signatures,
  );
  const done = events.flatMap((event) =>
    event.type === "tool" && event.tool !== "function" && event.status === "completed" ? event.callId : [],
  );
  assert.deepEqual(
    done,
    full.tools.flatMap(({ callId, hasResult }) => (hasResult ? callId : [])),
  );
  const { input_tokens, output_tokens, cache_read_input_tokens } = full.usage;
  assert.deepEqual(
    [end?.usage?.inputTokens, end?.usage?.outputTokens, end?.usage?.cachedTokens],
    [input_tokens, output_tokens, cache_read_input_tokens],
  );
}

it("there are recorded streams of the Messages API with text, reasoning, calls, tools, sources and a refusal", () => {
  const readings = streams.map(({ lines }) => readMessageInFull(lines));
  assert.ok(streams.length >= 12);
  for (const has of [
    ({ text }: FullMessage) => text !== "",
    ({ reasoning, signatures }: FullMessage) => reasoning !== "" && signatures.length > 0,
    ({ calls }: FullMessage) => calls.length > 0,
    ({ tools }: FullMessage) => tools.length > 0 && tools.every(({ hasResult }) => hasResult),
    ({ sources }: FullMessage) => sources.length > 1,
    ({ stop }: FullMessage) => stop === "refusal",
  ])
    assert.ok(readings.some(has), String(has));
});

describeRecordedStreams({
  ...{ api: "the Messages API", create: () => createAnthropicSetup(), streams },
  ...{ framings: messageFramings, cutFraming: "as Anthropic does", readInFull: readMessageInFull },
  isWhole: ({ stop }: FullMessage) => stop !== undefined,
  isSilent: (lines) => lines.every((line) => line.includes('"type":"ping"')),
  checkEnd,
});
