import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { fieldPaths, type JsonSchema } from "../fuzz/field-paths.ts";
import { validatorWords } from "./validator-words.ts";

/** One wrong value of every kind, and values just beyond the limits of a field. */
function wrongValues(schemas: readonly JsonSchema[]): unknown[] {
  const beyond = schemas.flatMap(({ minimum, maximum, maxLength, maxItems }) => [
    ...(minimum === undefined ? [] : [minimum - 1, minimum + 0.5, -1e300]),
    ...(maximum === undefined ? [] : [maximum + 1, 1e300]),
    ...(maxLength === undefined ? [] : ["x".repeat(maxLength + 1)]),
    ...(maxItems === undefined ? [] : [Array(maxItems + 1).fill("x"), Array(maxItems + 1).fill({})]),
  ]);
  return [
    ...[
      null,
      true,
      false,
      0,
      -1,
      0.5,
      1e21,
      -1e21,
      "",
      " ",
      "NaN",
      "null",
      "a b",
      "line\nbreak",
      "\ud800",
      "\ufeffa",
    ],
    ...[
      [],
      [null],
      [[]],
      [1],
      [""],
      {},
      { "": 1 },
      { a: null },
      { id: 7 },
      { type: 7 },
      { [`k${"x".repeat(300)}`]: 1 },
    ],
    ...["x".repeat(2_000), Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`k${n}`, "v"]))],
    ...beyond,
  ];
}

function messageWith(type: string, path: readonly string[], value: unknown): object {
  const required = {
    ...{ input_text: "a", message: "a", persona_id: "a", persona_ids: ["a"] },
    ...{ request_id: "a", after_seq: 0, conversation_id: "a" },
  };
  const message: Record<string, unknown> = { type, data: required };
  let holder = message;
  for (const [at, name] of path.entries()) {
    if (at === path.length - 1) holder[name] = value;
    else {
      const below = holder[name];
      const next =
        path[at + 1] === "0" ? [] : typeof below === "object" && !Array.isArray(below) ? { ...below } : {};
      holder[name] = next;
      holder = next as Record<string, unknown>;
    }
  }
  return message;
}

describe("the sentence that refuses a field", () => {
  for (const { type, path, schemas } of fieldPaths()) {
    it(`${type} ${path.join(".")}: is plain, for every kind of wrong value`, () => {
      for (const value of wrongValues(schemas)) {
        const decoded = decodeClientMessage(JSON.stringify(messageWith(type, path, value)));
        if (decoded.ok || decoded.error.code !== "invalid_message") continue;
        const { field = "", detail = "" } = decoded.error;
        assert.doesNotMatch(detail.slice(field.length), validatorWords);
        const rest = detail.startsWith("The message ")
          ? detail.slice("The message ".length)
          : detail.slice(field.length + 1);
        assert.match(rest, /^(must (be|not be|have) |is |has a bad name: it )\S.*\.$/, detail);
        assert.ok(detail.startsWith(`${field} `) || field === "", detail);
        assert.doesNotMatch(rest, /\n|\.\.|must be (must|is|has)\b/);
      }
    });
  }

  it("names the values that the field may have", () => {
    const sentences: readonly (readonly [string, object, string])[] = [
      ["openai_chat", {}, "data.input_text is missing."],
      ["openai_chat", { input_text: "" }, "data.input_text must not be empty."],
      ["openai_chat", { input_text: 7 }, "data.input_text must be text."],
      ["multi_chat", { message: "a", persona_ids: [] }, "data.persona_ids must have at least 1 item."],
      [
        "multi_chat",
        { message: "a", persona_ids: Array(17).fill("p") },
        "data.persona_ids must have at most 16 items.",
      ],
      [
        "chat",
        { message: "a", persona_id: "b", temperature: "hot" },
        "data.temperature must be a number from 0 to 2.",
      ],
      [
        "chat",
        { message: "a", persona_id: "b", temperature: 3 },
        "data.temperature must be a number from 0 to 2.",
      ],
      [
        "chat",
        { message: "a", persona_id: "b", max_tokens: 1.5 },
        "data.max_tokens must be a whole number from 1 to 1000000.",
      ],
      ["resume", { request_id: "a", after_seq: "1" }, "data.after_seq must be a whole number of at least 0."],
      [
        "chat",
        { message: "a", persona_id: "b", pacing: { mode: "slow" } },
        'data.pacing.mode must be "natural", "fixed" or "raw".',
      ],
      [
        "chat",
        { message: "a", persona_id: "b", on_disconnect: "stop" },
        'data.on_disconnect must be "finish" or "cancel", or a whole number from 0 to 3600000.',
      ],
      [
        "openai_chat",
        { input_text: "a", options: { temprature: 1 } },
        "data.options.temprature is not known here.",
      ],
      [
        "openai_chat",
        { input_text: "a", options: { tool_choice: 7 } },
        "data.options.tool_choice must be text, or an object.",
      ],
    ];
    for (const [type, data, sentence] of sentences) {
      const decoded = decodeClientMessage(JSON.stringify({ type, data }));
      assert.ok(!decoded.ok);
      assert.equal(decoded.error.detail, sentence);
    }
  });
});
