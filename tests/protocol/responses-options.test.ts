import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ResponseCreateParamsStreaming } from "openai/resources/responses/responses";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { type ResponsesOptions, responsesOptions } from "../../src/protocol/responses-options.ts";

// The types below are the test: `npm run check` fails if the SDK and the schema no longer agree.

type Parameters = ResponseCreateParamsStreaming;
type Name = keyof Parameters;

/**
 * Parameters that a client cannot set through `data.options`. A new parameter of the SDK must be added here or to the
 * schema.
 */
const withheld = {
  input: "it is `data.input_text`",
  model: "it is `data.model`, which the settings may replace",
  previous_response_id: "it is `data.previous_response_id`",
  tools: "they are `data.tools`",
  stream: "every answer streams",
  stream_options: "how the provider frames its stream is between it and the server",
  access_programs: "new in the SDK and not needed yet",
  image: "new in the SDK; input is text",
  moderation: "new in the SDK and not needed yet",
  prompt_cache_options: "new in the SDK and not needed yet",
} as const satisfies Record<Exclude<Name, keyof ResponsesOptions>, string>;

/** Passed on as JSON: the vendor's own structures, which change too often to be copied. */
const opaque = [
  "context_management",
  "include",
  "prompt",
  "prompt_cache_retention",
  "reasoning",
  "service_tier",
  "text",
  "tool_choice",
  "truncation",
] as const satisfies readonly (keyof ResponsesOptions & Name)[];

/** Options that the SDK does not know, or for which it does not take every value that the schema allows. */
type Misfit = {
  [Key in keyof ResponsesOptions]-?: Key extends (typeof opaque)[number]
    ? never
    : Key extends Name
      ? NonNullable<ResponsesOptions[Key]> extends NonNullable<Parameters[Key]>
        ? never
        : Key
      : Key;
}[keyof ResponsesOptions];

const allFit: [Misfit] extends [never] ? true : Misfit = true;

function decodeOptions(options: object) {
  return decodeClientMessage(JSON.stringify({ type: "openai_chat", data: { input_text: "a", options } }));
}

describe("options of openai_chat", () => {
  it("fit the SDK's own parameters", () => {
    assert.ok(allFit);
    const known = Object.keys(responsesOptions.shape);
    assert.deepEqual(
      [...opaque, ...Object.keys(withheld)].filter((name) => known.includes(name)),
      [...opaque],
    );
  });

  for (const [name, reason] of Object.entries(withheld)) {
    it(`refuse ${name}: ${reason}`, () => {
      for (const value of [null, true, "a", {}]) {
        const decoded = decodeOptions({ [name]: value });
        assert.ok(!decoded.ok);
        assert.equal(decoded.error.field, `data.options.${name}`);
      }
    });
  }

  it("pass the vendor's structures on as they are", () => {
    const structure = { type: "anything", deep: [{ a: null }, [1, "b"]], added_next_year: true };
    const options = {
      reasoning: structure,
      text: structure,
      prompt: structure,
      tool_choice: structure,
      context_management: [structure],
      include: ["added.next.year"],
    };
    const decoded = decodeOptions(options);
    assert.ok(decoded.ok && decoded.message.type === "openai_chat");
    assert.deepEqual(decoded.message.data.options, options);
  });
});
