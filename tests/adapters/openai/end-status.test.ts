import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { created, delta, hear } from "./hear-events.ts";

describe("the response's own status decides", () => {
  const row = (type: string, response: object) =>
    hear([created, delta("x"), { type: `response.${type}`, response }]);
  const failed = { status: "failed", error: { code: "server_error", message: "m" } };
  for (const [type, response, code, finish] of [
    ["completed", failed, "upstream_error", undefined],
    ["completed", { status: "failed", error: { code: "insufficient_quota" } }, "quota_exceeded", undefined],
    ["completed", { status: "failed", error: "text" }, "upstream_error", undefined],
    ["completed", { status: "failed", error: null }, "upstream_error", undefined],
    ["completed", { error: { code: "invalid_prompt" } }, "upstream_invalid_request", undefined],
    ["done", failed, "upstream_error", undefined],
    ["incomplete", failed, "upstream_error", undefined],
    ["completed", { status: "cancelled" }, "upstream_error", undefined],
    ["cancelled", {}, "upstream_error", undefined],
    ["failed", {}, "upstream_error", undefined],
    [
      "completed",
      { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
      undefined,
      "length",
    ],
    [
      "done",
      { status: "incomplete", incomplete_details: { reason: "content_filter" } },
      undefined,
      "content_filter",
    ],
    ["incomplete", { status: "completed" }, undefined, "stop"],
    ["failed", { status: "completed", error: null }, undefined, "stop"],
    ["done", { status: "completed" }, undefined, "stop"],
    ["completed", { status: "in_progress" }, undefined, "stop"],
    ["done", {}, undefined, "stop"],
    ["incomplete", {}, undefined, "length"],
  ] as const)
    it(`response.${type} with ${JSON.stringify(response)} is ${code ?? finish}`, () => {
      const heard = row(type, response);
      assert.deepEqual([heard.code, heard.finishReason, heard.text], [code, finish, "x"]);
    });
});
