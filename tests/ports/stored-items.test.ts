import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type FunctionTool,
  type Item,
  type ItemPart,
  itemLimits,
  storableItems,
  storedFunctions,
  storedItems,
  textMessage,
} from "../../src/ports/item.ts";
import type { JsonObject } from "../../src/ports/json.ts";

const message = (...parts: ItemPart[]): Item => ({ type: "message", role: "user", parts });
const image = (url: string): Item => message({ type: "image", url });
const call = (callId: string, args: string): Item => ({
  ...{ type: "tool-call", callId, name: "f", arguments: args },
});
const stateful = (state: JsonObject): Item => ({
  ...{ type: "reasoning", text: "", providerState: { provider: "p", state } },
});
const nested = (depth: number): JsonObject => (depth === 1 ? {} : { a: nested(depth - 1) });
const tool = (parameters: JsonObject): FunctionTool => ({ name: "f", parameters });
const { items, parts, nameChars, urlChars, textChars, dataChars, jsonChars, jsonDepth, functions } =
  itemLimits;

/** For each limit, the largest lists that it allows at a size. */
const itemsOfSize: readonly (readonly [what: string, limit: number, make: (size: number) => Item[]])[] = [
  ["items", items, (size) => Array.from({ length: size }, () => textMessage("user", "x"))],
  [
    "parts",
    parts,
    (size) => [message(...Array.from({ length: size }, () => ({ type: "text", text: "" }) as const))],
  ],
  ["the text of a part", textChars, (size) => [textMessage("user", "x".repeat(size))]],
  ["an address", urlChars, (size) => [image("x".repeat(size))]],
  ["data", dataChars, (size) => [message({ type: "file", data: "x".repeat(size), mediaType: "a/b" })]],
  ["an id", nameChars, (size) => [call("x".repeat(size), "{}")]],
  ["arguments", textChars, (size) => [call("c", "x".repeat(size))]],
  // A name, a colon, quotes and a comma.
  ["a provider's state", jsonChars, (size) => [stateful({ a: "x".repeat(size - 7) })]],
  ["the depth of a provider's state", jsonDepth, (size) => [stateful(nested(size))]],
];

describe("stored items", () => {
  for (const [what, limit, make] of itemsOfSize)
    it(`have a limit for ${what}`, () => {
      assert.equal(storedItems.safeParse(make(limit)).success, true);
      assert.equal(storedItems.safeParse(make(limit + 1)).success, false);
    });

  it("need an address or data for an image", () => {
    const read = (part: object) =>
      storedItems.safeParse([{ type: "message", role: "user", parts: [part] }]).success;
    assert.equal(read({ type: "image" }), false);
    assert.equal(read({ type: "image", data: "eA==" }), false);
    assert.equal(read({ type: "image", data: "eA==", mediaType: "image/png" }), true);
    assert.equal(read({ type: "image", url: "https://x.example" }), true);
  });
});

describe("the items of an answer", () => {
  it("are stored if they fit, all together", () => {
    const calls = (size: number) => [call("c", "x".repeat(size)), call("d", "x".repeat(size))];
    const fitting = calls(120_000);
    assert.equal(storableItems(fitting), fitting);
    assert.equal(storableItems(calls(140_000)), undefined);
    assert.equal(storableItems([stateful(nested(jsonDepth + 1))]), undefined);
    assert.equal(storableItems(undefined), undefined);
  });
});

describe("stored functions", () => {
  it("have limits for their number and for the size and depth of their schemas", () => {
    const list = (size: number) => Array.from({ length: size }, () => tool({ type: "object" }));
    assert.equal(storedFunctions.safeParse(list(functions)).success, true);
    assert.equal(storedFunctions.safeParse(list(functions + 1)).success, false);
    for (const parameters of [nested(jsonDepth + 1), { a: "x".repeat(jsonChars) }])
      assert.equal(storedFunctions.safeParse([tool(parameters)]).success, false);
  });
});
