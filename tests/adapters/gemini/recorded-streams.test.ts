import assert from "node:assert/strict";
import { it } from "node:test";
import type { Heard } from "../../ports/hear.ts";
import { describeRecordedStreams } from "../../ports/recorded-streams-suite.ts";
import { createGeminiSetup } from "./gemini-setup.ts";
import {
  contentFramings,
  type FullAnswer,
  readContentsInFull,
  recordedStreams,
} from "./recorded-contents.ts";

const streams = recordedStreams();

function checkEnd(heard: Heard, full: FullAnswer): void {
  const { end, thrown } = heard;
  const reason = full.calls.length > 0 ? "tool_calls" : "stop";
  assert.deepEqual([thrown, end?.finishReason, end?.model], [undefined, reason, full.model]);
  const items = end?.items ?? [];
  assert.deepEqual(
    items.flatMap((item) => (item.type === "tool-call" ? [{ ...item, providerState: undefined }] : [])),
    full.calls.map(({ name, args }, index) => ({
      ...{ type: "tool-call", callId: `call_${full.id}_${index}`, name, arguments: JSON.stringify(args) },
      providerState: undefined,
    })),
  );
  const signatures = items.flatMap(({ providerState }) => providerState?.state.signature ?? []);
  assert.deepEqual(
    signatures,
    [...full.calls.map(({ signature }) => signature), full.signature].filter((one) => one !== undefined),
  );
  assert.equal(end?.usage?.inputTokens, full.usage.input);
  assert.equal(end?.usage?.outputTokens, full.usage.output);
}

it("there are recorded streams of Gemini with text, reasoning, calls and signatures", () => {
  const readings = streams.map(({ lines }) => readContentsInFull(lines));
  assert.ok(streams.length >= 6);
  for (const has of [
    ({ text }: FullAnswer) => text !== "",
    ({ reasoning }: FullAnswer) => reasoning !== "",
    ({ calls }: FullAnswer) => calls.length > 1,
    ({ calls }: FullAnswer) => calls.some(({ signature }) => signature !== undefined),
    ({ signature }: FullAnswer) => signature !== undefined,
  ])
    assert.ok(readings.some(has), String(has));
});

describeRecordedStreams({
  ...{ api: "Gemini", create: () => createGeminiSetup(), streams },
  ...{ framings: contentFramings, cutFraming: "plainly", readInFull: readContentsInFull },
  isWhole: ({ finish }: FullAnswer) => finish !== undefined,
  checkEnd,
});
