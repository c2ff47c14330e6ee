import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { wireLimits } from "../../src/protocol/limits.ts";

function refusal(text: string) {
  const decoded = decodeClientMessage(text);
  assert.ok(!decoded.ok, `accepted: ${text.slice(0, 200)}`);
  const { error, origin } = decoded;
  return { code: error.code, field: error.field, origin, message: error.publicMessage };
}

describe("a frame that is not a message", () => {
  const notJson = [
    "",
    " ",
    "{",
    '{"type":"ping",}',
    "{'type':'ping'}",
    "NaN",
    "undefined",
    "hello",
    '\ufeff{"type":"ping"}',
    '{"type":"ping"}\u0000',
  ];
  for (const text of notJson) {
    it(`${JSON.stringify(text)} is not JSON`, () => {
      assert.deepEqual(refusal(text), {
        code: "invalid_json",
        field: undefined,
        origin: undefined,
        message: "The frame is not valid JSON.",
      });
    });
  }

  for (const text of [
    "null",
    "[]",
    '[{"type":"ping"}]',
    "42",
    "1e400",
    '"ping"',
    "true",
    "[".repeat(10_000) + "]".repeat(10_000),
  ]) {
    it(`${text.slice(0, 20)} is not an object`, () => {
      const { code, field, origin } = refusal(text);
      assert.deepEqual([code, field, origin], ["invalid_message", undefined, undefined]);
    });
  }

  it("has no type", () => {
    for (const text of ["{}", '{"data":{}}', '{"__proto__":{"type":"ping"}}']) {
      const { code, field, origin } = refusal(text);
      assert.deepEqual([code, field, origin], ["invalid_message", "type", undefined]);
    }
  });

  it("has an unknown type, even one that every object inherits", () => {
    const types = [
      "nonsense",
      "PING",
      "ping ",
      "",
      "toString",
      "constructor",
      "hasOwnProperty",
      "__proto__",
      "\u0440ing",
    ];
    for (const type of types) {
      const { code, field, origin } = refusal(JSON.stringify({ type }));
      assert.deepEqual([code, field, origin], ["unknown_type", "type", { type }]);
    }
    for (const type of [null, 7, true, ["ping"], { toString: "ping" }]) {
      assert.deepEqual(
        [refusal(JSON.stringify({ type })).code, refusal(JSON.stringify({ type })).field],
        ["unknown_type", "type"],
      );
    }
  });
});

describe("how deep a message may be", () => {
  const deep = (open: string, close: string, depth: number) =>
    `{"type":"ping","id":"p","data":${open.repeat(depth)}1${close.repeat(depth)}}`;

  it("is the limit and not one more, in lists and in objects", () => {
    // The message itself is one level.
    const rest = wireLimits.messageDepth - 1;
    assert.ok(decodeClientMessage(deep('{"a":', "}", rest)).ok);
    assert.ok(
      decodeClientMessage(`{"type":"ping","data":{"a":${"[".repeat(rest - 1)}${"]".repeat(rest - 1)}}}`).ok,
    );
    for (const depth of [rest + 1, 10_000]) {
      for (const text of [deep('{"a":', "}", depth), deep("[", "]", depth)]) {
        const { code, field, origin } = refusal(text);
        assert.deepEqual([code, field, origin], ["invalid_message", undefined, { type: "ping", id: "p" }]);
      }
    }
  });
});

describe("how much a message may hold", () => {
  const ask = (options: string) =>
    `{"type":"openai_chat","id":"a","data":{"input_text":"a","options":{"text":${options}}}}`;
  const list = (count: number) => `{"a":[${Array(count).fill(0).join()}]}`;
  const object = (count: number) =>
    `{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join()}}`;

  it("is the limit of values and not one more", () => {
    // The message has three members, and its data has two, `text` and `a`.
    const rest = wireLimits.messageValues - 7;
    assert.ok(decodeClientMessage(ask(list(rest))).ok);
    const { code, field, origin, message } = refusal(ask(list(rest + 1)));
    assert.deepEqual([code, field], ["invalid_message", undefined]);
    assert.deepEqual(origin, { type: "openai_chat", id: "a" });
    assert.match(message, /too many values/);
  });

  it("is the limit of members of one object and not one more", () => {
    assert.ok(decodeClientMessage(ask(object(wireLimits.objectMembers))).ok);
    const { code, origin, message } = refusal(ask(object(wireLimits.objectMembers + 1)));
    assert.deepEqual([code, origin], ["invalid_message", { type: "openai_chat", id: "a" }]);
    assert.match(message, /too many members/);
  });

  it("is refused by the length of a list, before any of its items is looked at", () => {
    const bad = Array(wireLimits.contextManagement + 1).fill(0);
    const withOptions = (options: object) =>
      refusal(JSON.stringify({ type: "openai_chat", data: { input_text: "a", options } }));
    assert.equal(withOptions({ context_management: bad }).field, "data.options.context_management");
    assert.equal(
      withOptions({ context_management: bad.slice(1) }).field,
      "data.options.context_management.0",
    );
    const metadata: Record<string, number> = Object.fromEntries(
      Array.from({ length: wireLimits.metadataPairs + 1 }, (_, index) => [`p${index}`, 7]),
    );
    assert.equal(withOptions({ metadata }).field, "data.options.metadata");
    delete metadata.p0;
    assert.equal(withOptions({ metadata }).field, "data.options.metadata.p1");
  });
});

describe("odd contents", () => {
  it("a later key replaces an earlier one of the same name", () => {
    assert.equal(refusal('{"type":"ping","type":"nonsense"}').code, "unknown_type");
    assert.ok(decodeClientMessage('{"type":"nonsense","type":"ping"}').ok);
  });

  it("lone surrogates become the replacement character, because they cannot be sent on", () => {
    const decoded = decodeClientMessage(
      String.raw`{"type":"openai_chat","data":{"input_text":"a\ud800b\udc00\ud83d\ude00"}}`,
    );
    assert.ok(decoded.ok && decoded.message.type === "openai_chat");
    assert.equal(decoded.message.data.input_text, "a\ufffdb\ufffd\u{1f600}");
    const { origin } = refusal(String.raw`{"type":"\ud800","id":"\udfff"}`);
    assert.deepEqual(origin, { type: "\ufffd", id: "\ufffd" });
  });

  it("numbers that no number can hold are out of range", () => {
    for (const text of ["1e400", "-1e400", "9007199254740993"]) {
      const frame = `{"type":"resume","data":{"request_id":"a","after_seq":${text}}}`;
      assert.equal(refusal(frame).field, "data.after_seq");
    }
  });

  it("keys that would change an object's prototype change nothing", () => {
    const text = '{"type":"ping","__proto__":{"id":"evil"},"data":{"__proto__":{"polluted":true}}}';
    const decoded = decodeClientMessage(text);
    assert.ok(decoded.ok);
    assert.equal(decoded.message.id, undefined);
    assert.equal("polluted" in {}, false);
    assert.equal("polluted" in (decoded.message.data ?? {}), false);
    const options = '{"type":"openai_chat","data":{"input_text":"a","options":{"__proto__":{"store":true}}}}';
    assert.equal(refusal(options).field, "data.options.__proto__");
  });
});

describe("a refusal", () => {
  it("repeats the frame's type and id, if they are short strings", () => {
    const long = "x".repeat(wireLimits.idChars + 1);
    assert.deepEqual(refusal('{"type":"chat","id":"mine"}').origin, { type: "chat", id: "mine" });
    assert.deepEqual(refusal('{"id":"mine"}').origin, { id: "mine" });
    assert.deepEqual(refusal(`{"type":"${long}","id":"${long}"}`).origin, undefined);
    assert.deepEqual(refusal('{"type":"chat","id":7}').origin, { type: "chat" });
  });

  it("contains nothing of the contents", () => {
    const secret = "sk-0123456789";
    for (const data of [
      { message: 7, persona_id: secret },
      { persona_id: `${secret}\n`, message: "a" },
      { message: "a", persona_id: "b", api: `${secret}\n` },
    ]) {
      assert.doesNotMatch(refusal(JSON.stringify({ type: "chat", data })).message, /0123456789/);
    }
  });

  it("gives a path no longer than people want to read", () => {
    const options = { ["k".repeat(10_000)]: 1 };
    const { field } = refusal(JSON.stringify({ type: "openai_chat", data: { input_text: "a", options } }));
    assert.ok(field !== undefined && field.length <= 512);
    const metadata = { ["k".repeat(10_000)]: "v" };
    const { message } = refusal(
      JSON.stringify({ type: "openai_chat", data: { input_text: "a", options: { metadata } } }),
    );
    assert.ok(message.length <= 1_200);
  });
});
