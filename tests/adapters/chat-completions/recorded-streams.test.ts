import assert from "node:assert/strict";
import { it } from "node:test";
import { type JsonObject, objectsIn } from "../../../src/ports/json.ts";
import type { Heard } from "../../ports/hear.ts";
import { describeRecordedStreams } from "../../ports/recorded-streams-suite.ts";
import { createChatSetup } from "./chat-setup.ts";
import { chatFramings, type FullChat, readChatInFull, recordedChats } from "./recorded-chunks.ts";

const streams = recordedChats();

function checkEnd(heard: Heard, full: FullChat): void {
  const { end, thrown } = heard;
  assert.deepEqual([thrown, end?.finishReason, end?.model], [undefined, full.finish, full.model]);
  const called = (end?.items ?? []).filter((item) => item.type === "tool-call");
  assert.deepEqual(
    called,
    full.calls.map((call) => ({ type: "tool-call", ...call })),
  );
  const cited = (end?.items ?? []).flatMap((item) => (item.type === "source" ? item.url : []));
  assert.deepEqual([cited, annotated(end?.response)], [full.sources, full.marked]);
  const told = full.usage;
  assert.equal(end?.usage?.inputTokens, told?.prompt_tokens);
  assert.equal(end?.usage?.totalTokens, told?.total_tokens);
  assert.equal(end?.usage?.cachedTokens, told?.prompt_tokens_details?.cached_tokens ?? undefined);
}

/** The addresses of the annotations of a response object, in their order. */
function annotated(response: JsonObject | undefined): unknown[] {
  return objectsIn(response?.output)
    .flatMap(({ content }) => objectsIn(content))
    .flatMap(({ annotations }) => objectsIn(annotations))
    .map(({ url }) => url);
}

it("there are recorded streams of Chat Completions with text, reasoning, calls, sources and usage", () => {
  const readings = streams.map(({ lines }) => readChatInFull(lines));
  assert.ok(streams.length >= 14);
  for (const has of [
    ({ text }: FullChat) => text !== "",
    ({ reasoning }: FullChat) => reasoning !== "",
    ({ calls }: FullChat) => calls.length > 0,
    ({ sources, marked }: FullChat) => sources.length > 1 && marked.length > 0,
    ({ usage }: FullChat) => usage !== undefined,
    ({ finish }: FullChat) => finish === "tool_calls",
  ])
    assert.ok(readings.some(has), String(has));
});

describeRecordedStreams({
  ...{ api: "Chat Completions", create: () => createChatSetup(), streams },
  ...{ framings: chatFramings, cutFraming: "without [DONE]", readInFull: readChatInFull },
  isWhole: ({ finish }: FullChat) => finish !== undefined,
  checkEnd,
});
