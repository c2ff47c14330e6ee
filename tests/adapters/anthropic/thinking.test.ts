import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { textMessage } from "../../../src/ports/item.ts";
import { call, paramsOf, result, thought } from "./params-setup.ts";

const old = "claude-sonnet-4-5-20250929";

describe("thinking in the request of the Messages API", () => {
  const effort = (word: string) => ({ options: { reasoning: { effort: word } } });
  const efforts = [
    ["minimal", "low"],
    ["low", "low"],
    ["medium", "medium"],
    ["high", "high"],
    ["xhigh", "xhigh"],
    ["max", "max"],
  ] as const;
  for (const [asked, sent] of efforts)
    it(`${asked} is the effort ${sent} of a newer model, and a budget of an older one`, () => {
      const { thinking, output_config, max_tokens } = paramsOf(effort(asked));
      assert.deepEqual(
        [thinking, output_config, max_tokens],
        [{ type: "adaptive" }, { effort: sent }, 16_384],
      );
      const older = paramsOf({ ...effort(asked), model: old });
      assert.ok(older.thinking?.type === "enabled" && older.output_config === undefined);
      assert.ok(older.thinking.budget_tokens >= 1_024 && older.thinking.budget_tokens < older.max_tokens);
    });

  it("is shown as a summary if the client wants to read it", () => {
    const shown = paramsOf({ includeReasoning: true });
    assert.deepEqual(shown.thinking, { type: "adaptive", display: "summarized" });
    assert.equal(paramsOf({ includeReasoning: true, model: old }).thinking?.type, "enabled");
  });

  const forms = [
    ["claude-opus-4-20250514", "enabled", 16_384],
    ["claude-opus-4-1", "enabled", 16_384],
    ["claude-haiku-4-5", "enabled", 16_384],
    ["anthropic.claude-3-7-sonnet-20250219-v1:0", "enabled", 16_384],
    ["claude-opus-4-6", "adaptive", 16_384],
    ["claude-haiku-5-5", "adaptive", 16_384],
    ["claude-mythos-preview", "adaptive", 16_384],
    ["claude-3-5-haiku-latest", undefined, 8_192],
    ["claude-3-haiku-20240307", undefined, 4_096],
  ] as const;
  for (const [model, form, limit] of forms)
    it(`takes the form of ${model}`, () => {
      const { thinking, max_tokens } = paramsOf({ model, includeReasoning: true });
      assert.deepEqual([thinking?.type, max_tokens], [form, limit]);
    });

  it("is left out where the API would refuse it", () => {
    const small = paramsOf({ ...effort("high"), model: old, maxOutputTokens: 1_024 });
    assert.deepEqual([small.thinking, small.max_tokens], [undefined, 1_024]);
    const forced = { tool_choice: "required", reasoning: { effort: "high" } };
    assert.equal(
      paramsOf({ options: forced, functions: [{ name: "rain", parameters: {} }] }).thinking,
      undefined,
    );
    const strange = [textMessage("user", "?"), call, result];
    assert.equal(paramsOf({ ...effort("high"), model: old, input: strange }).thinking, undefined);
    assert.equal(paramsOf({ ...effort("high"), input: strange }).thinking?.type, "adaptive");
    const own = [textMessage("user", "?"), thought({ signature: "sig" }), call, result];
    assert.equal(paramsOf({ ...effort("high"), model: old, input: own }).thinking?.type, "enabled");
  });
});
