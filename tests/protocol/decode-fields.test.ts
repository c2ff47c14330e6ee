import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ClientMessageType } from "../../src/protocol/client-messages.ts";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { fieldPaths } from "../fuzz/field-paths.ts";
import { type FieldKind, type FieldKindName, fieldKinds } from "./field-kinds.ts";

type Fields = Readonly<Record<string, readonly [kind: FieldKindName, presence: "required" | "optional"]>>;

const forAnyRequest: Fields = {
  api: ["api", "optional"],
  fallback: ["fallback", "optional"],
  model: ["model", "optional"],
  budget_tokens: ["tokenBudget", "optional"],
  include_sources: ["flag", "optional"],
  include_usage: ["flag", "optional"],
  pacing: ["pacing", "optional"],
  on_disconnect: ["onDisconnect", "optional"],
  on_interrupt: ["onInterrupt", "optional"],
  retry: ["seqOfError", "optional"],
};
const forPersonas: Fields = {
  message: ["text", "required"],
  temperature: ["temperature", "optional"],
  max_tokens: ["tokenLimit", "optional"],
  conversation_id: ["conversation", "optional"],
  ...forAnyRequest,
};

const dataFields: Readonly<Record<ClientMessageType, Fields>> = {
  openai_chat: {
    input_text: ["text", "required"],
    previous_response_id: ["responseId", "optional"],
    tools: ["tools", "optional"],
    include_reasoning: ["flag", "optional"],
    options: ["options", "optional"],
    ...forAnyRequest,
  },
  chat: { ...forPersonas, persona_id: ["id", "required"] },
  multi_chat: {
    ...{ ...forPersonas, persona_ids: ["personas", "required"], stream: ["flag", "optional"] },
    members: ["members", "optional"],
  },
  cancel: { request_id: ["id", "required"], persona_id: ["id", "optional"] },
  resume: { request_id: ["id", "required"], after_seq: ["seq", "required"] },
  follow: {
    ...{
      conversation_id: ["id", "required"],
      after: ["idOrStart", "optional"],
      after_seq: ["seq", "optional"],
    },
  },
  unfollow: { conversation_id: ["id", "required"] },
  ping: {},
};

type Data = Record<string, unknown>;

/** The required fields of a message, each with its first good value. */
function leastData(type: ClientMessageType): Data {
  const required = Object.entries(dataFields[type]).filter(([, [, presence]]) => presence === "required");
  return Object.fromEntries(required.map(([name, [kind]]) => [name, fieldKinds[kind].good[0]]));
}

function accepted(message: object) {
  const decoded = decodeClientMessage(JSON.stringify(message));
  assert.ok(decoded.ok, decoded.ok ? "" : decoded.error.publicMessage);
  return decoded.message;
}

function refused(message: object, field: string): void {
  const text = JSON.stringify(message);
  const decoded = decodeClientMessage(text);
  assert.ok(!decoded.ok, `accepted: ${text.slice(0, 200)}`);
  assert.equal(decoded.error.code, "invalid_message");
  assert.equal(decoded.error.field, field, text.slice(0, 200));
}

for (const [type, fields] of Object.entries(dataFields) as [ClientMessageType, Fields][]) {
  describe(`the fields of ${type}`, () => {
    it("are all in the table above", () => {
      const names = fieldPaths()
        .filter((field) => field.type === type && field.path[0] === "data" && field.path.length === 2)
        .map(({ path }) => path[1])
        // It stands in the place of `input_text`, never beside it (input-items.test.ts).
        .filter((name) => name !== "input");
      assert.deepEqual(names.toSorted(), Object.keys(fields).toSorted());
    });

    it("are required only if nothing works without them", () => {
      const data = leastData(type);
      assert.deepEqual(accepted({ type, data }), { type, data });
    });

    for (const [name, [kindName, presence]] of Object.entries(fields)) {
      const kind: FieldKind = fieldKinds[kindName];
      const withValue = (value: unknown) => ({ type, id: "r", data: { ...leastData(type), [name]: value } });

      it(`${name}: good values are returned unchanged`, () => {
        for (const value of kind.good) {
          const { data } = accepted(withValue(value));
          assert.deepEqual((data as Data)[name], JSON.parse(JSON.stringify(value)));
        }
      });

      it(`${name}: bad values are refused by its path`, () => {
        for (const [value, below] of kind.bad) {
          refused(withValue(value), below === undefined ? `data.${name}` : `data.${name}.${below}`);
        }
      });

      it(`${name}: null is as good as absent, and it is ${presence}`, () => {
        for (const value of [null, undefined]) {
          if (presence === "required") refused(withValue(value), `data.${name}`);
          else assert.equal((accepted(withValue(value)).data as Data)[name], undefined);
        }
      });
    }

    it("id: names the message, and may be left out, except for a retry", () => {
      const data = leastData(type);
      if ("retry" in fields) refused({ type, data: { ...data, retry: 7 } }, "data.retry");
      for (const id of fieldKinds.id.good) assert.equal(accepted({ type, id, data }).id, id);
      for (const [id] of fieldKinds.id.bad) refused({ type, id, data }, "id");
      for (const id of [null, undefined]) assert.equal(accepted({ type, id, data }).id, undefined);
    });

    it("unknown fields are ignored", () => {
      const data = leastData(type);
      const more = { unknown: 1, constructor: {}, toString: "x", hasOwnProperty: null };
      assert.deepEqual(accepted({ type, data: { ...data, ...more }, ...more }), { type, data });
    });

    it("need an object around them", () => {
      for (const data of [[], "{}", 7, true]) refused({ type, data }, "data");
      if (type === "ping") assert.ok(accepted({ type, data: null }));
      else for (const data of [null, undefined]) refused({ type, data }, "data");
    });
  });
}

describe("nulls inside objects", () => {
  it("stand for absent options and pacing fields", () => {
    const paths = fieldPaths().filter(
      ({ path }) => path.length === 3 && /^(options|pacing)$/.test(path[1] ?? ""),
    );
    assert.ok(paths.length > 20);
    for (const { type, path } of paths) {
      const [, group = "", name = ""] = path;
      const { data } = accepted({ type, data: { ...leastData(type), [group]: { [name]: null } } });
      assert.equal((data as Record<string, Data>)[group]?.[name], undefined, path.join("."));
    }
  });
});
