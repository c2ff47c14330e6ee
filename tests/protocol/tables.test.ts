import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { closeReason, closeTable, retryAfterMsIn } from "../../src/protocol/closes.ts";
import { type ErrorCode, errorTable, TroupeError } from "../../src/protocol/errors.ts";
import { wireLimits } from "../../src/protocol/limits.ts";
import { serverMessage } from "../../src/protocol/server-messages.ts";

const errors = Object.entries(errorTable) as [ErrorCode, (typeof errorTable)[ErrorCode]][];

describe("the table of errors", () => {
  it("has codes that a program can compare and sentences that a person can read, all distinct", () => {
    for (const [code, { message }] of errors) {
      assert.match(code, /^[a-z]+(_[a-z]+)*$/);
      assert.match(message, /^\S.*\.$/);
      assert.ok(message.length <= 100, code);
    }
    assert.equal(new Set(errors.map(([, { message }]) => message)).size, errors.length);
  });

  it("calls no refusal of a frame retryable, except for lack of room", () => {
    const retryable = errors
      .filter(([, row]) => row.scope === "frame" && row.retryable)
      .map(([code]) => code);
    assert.deepEqual(retryable, [
      "too_many_requests",
      "request_rate_exceeded",
      "day_budget_spent",
      "overloaded",
      "shutting_down",
    ]);
  });

  it("makes errors that fit the wire", () => {
    for (const [code, row] of errors) {
      const error = new TroupeError(code, { detail: "More.", cause: new Error("secret") });
      assert.equal(error.publicMessage, `${row.message} More.`);
      assert.equal(error.retryable, row.retryable);
      const { retryable, publicMessage: message } = error;
      serverMessage.parse({ type: "error", status: "error", code, message, retryable });
    }
  });

  it("hides errors that were not made from it", () => {
    const error = TroupeError.from(new Error("the password is secret"));
    assert.deepEqual(
      [error.code, error.publicMessage],
      ["internal_error", errorTable.internal_error.message],
    );
    assert.equal(TroupeError.from(error), error);
  });
});

describe("the table of closes", () => {
  const closes = Object.values(closeTable);

  it("has codes that a server may send, all distinct", () => {
    for (const { code, reason } of closes) {
      // RFC 6455, section 7.4: 1004 to 1006 and 1015 are never sent; 4000 to 4999 are for applications.
      assert.ok(
        (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) || (code >= 4000 && code <= 4999),
      );
      assert.ok(
        Buffer.byteLength(reason) + " retry_after_ms=999999999".length <= 123,
        "a close frame has room for 125 bytes, two of them the code",
      );
    }
    assert.equal(new Set(closes.map(({ code }) => code)).size, closes.length);
  });

  it("gives reasons that a person and a program can read", () => {
    assert.equal(closeReason("restarting", 1_234), "The server restarts. retry_after_ms=1234");
    assert.equal(retryAfterMsIn(closeReason("restarting", 1_234)), 1_234);
    for (const reason of [
      "",
      "The server restarts.",
      "retry_after_ms=",
      "x retry_after_ms=1.5",
      "x retry_after_ms=-1",
    ])
      assert.equal(retryAfterMsIn(reason), undefined);
  });

  it("sends no client back that would only break the same rule again", () => {
    const comeBack = closes.filter(({ reconnect }) => reconnect).map(({ code }) => code);
    assert.deepEqual(comeBack, [1012, 4403, 4408, 4409]);
  });
});

describe("the limits", () => {
  it("leave room for the longest text that the fields allow", () => {
    const frame = { type: "openai_chat", data: { input_text: "x".repeat(wireLimits.textChars) } };
    assert.ok(Buffer.byteLength(JSON.stringify(frame)) <= wireLimits.messageBytes);
  });
});
