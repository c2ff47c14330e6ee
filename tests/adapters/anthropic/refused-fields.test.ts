import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { image, paramsOf } from "./params-setup.ts";

describe("the Messages API refuses by field", () => {
  const said = (parts: readonly object[], role = "user") => ({ input: [{ type: "message", role, parts }] });
  const picture = { type: "image", data: "AAAA", mediaType: "image/tiff" };
  const refusals: readonly (readonly [string, object])[] = [
    ["options.background", { options: { background: true } }],
    ["options.store", { options: { store: true } }],
    ["options.prompt", { options: { prompt: { id: "p" } } }],
    ["options.top_logprobs", { options: { top_logprobs: 3 } }],
    ["options.service_tier", { options: { service_tier: "flex" } }],
    ["options.text.verbosity", { options: { text: { verbosity: "low" } } }],
    ["options.text.format", { options: { text: { format: { type: "json_object" } } } }],
    ["options.reasoning", { options: { reasoning: { effort: "utmost" } } }],
    ["options.tool_choice", { options: { tool_choice: { type: "mcp" } } }],
    ["tools.1", { tools: [{ type: "function", name: "f" }, { type: "file_search" }] }],
    ["tools.0", { tools: [{ type: "web_search", search_context_size: "high" }] }],
    ["tools.0", { tools: [{ type: "web_search", filters: { blocked: [] } }] }],
    ["input.0", said([image], "assistant")],
    ["input.0", said([picture])],
    ["input.0", said([{ type: "file", data: "AAAA", mediaType: "application/zip" }])],
    ["input.0", { input: [{ type: "tool-result", callId: "c", output: [picture] }] }],
  ];
  for (const [field, changes] of refusals)
    it(`${field}: ${JSON.stringify(changes).slice(0, 70)}`, () => {
      assert.throws(
        () => paramsOf(changes as Partial<ProviderRequest>),
        (error) =>
          error instanceof TroupeError &&
          error.code === "upstream_invalid_request" &&
          error.field === field &&
          error.isUnread === true,
      );
    });

  it("an earlier response, which is not kept", () => {
    assert.throws(
      () => paramsOf({ previousResponseId: "resp_1" }),
      (error) =>
        error instanceof TroupeError &&
        error.code === "previous_response_not_found" &&
        error.isUnread === true,
    );
  });
});
