import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createOutputChecker } from "../../../src/adapters/ajv/output-checker.ts";
import type { JsonObject } from "../../../src/ports/json.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { until } from "../../support/until.ts";

function openStage(limits: { readonly waiting?: number; readonly waitingMs?: number } = {}) {
  const clock = createTestClock();
  const checker = createOutputChecker({ clock, limits });
  const check = (value: unknown, schema?: JsonObject, owner = "ada") =>
    checker.check(owner, typeof value === "string" ? value : JSON.stringify(value), schema);
  return { clock, check, [Symbol.asyncDispose]: () => checker[Symbol.asyncDispose]() };
}

const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};
const unreadable = { fits: "unknown", fault: "The server cannot read the schema." };
const tooLong = { fits: "unknown", fault: "The check took too long." };
const busy = { fits: "unknown", fault: "The server was too busy to check it." };
/** A value of so many objects inside each other, and a schema that reads each of them twice. */
const nested = (depth: number): JsonObject => (depth === 0 ? {} : { next: nested(depth - 1) });
const branch = { properties: { next: { $ref: "#/$defs/node" } }, required: ["missing"] };
const doubled = { $defs: { node: { anyOf: [branch, branch] } }, $ref: "#/$defs/node" };

describe("the checker of outputs", () => {
  const cases: readonly (readonly [string, unknown, JsonObject | undefined, object])[] = [
    ["a value that fits", { name: "Ada", age: 36 }, person, { fits: true }],
    [
      "a wrong type, with its place",
      { name: "Ada", age: "36" },
      person,
      { fits: false, fault: "/age must be integer." },
    ],
    [
      "a missing member",
      { name: "Ada" },
      person,
      { fits: false, fault: "The answer must have required property 'age'." },
    ],
    ["words", "Here you are.", person, { fits: false, fault: "It is not JSON." }],
    ["JSON in a block of Markdown", "```json\n{}\n```", person, { fits: false, fault: "It is not JSON." }],
    ["any object without a schema", { a: 1 }, undefined, { fits: true }],
    ["a list without a schema", [1], undefined, { fits: false, fault: "It is not a JSON object." }],
    ["definitions of draft 2020-12", [1, "a"], { prefixItems: [{ type: "integer" }] }, { fits: true }],
    [
      "a tuple of draft 7",
      ["a"],
      { $schema: "http://json-schema.org/draft-07/schema#", items: [{ type: "integer" }] },
      { fits: false, fault: "/0 must be integer." },
    ],
    [
      "the null of OpenAPI, which Gemini's schemas have",
      null,
      { type: "string", nullable: true },
      { fits: true },
    ],
    ["an unknown format", "1", { format: "vendor-format", "x-word": true }, { fits: true }],
    ["a schema at an address", 1, { $ref: "https://schemas.example/a.json" }, unreadable],
    ["a malformed schema", 1, { type: "banana" }, unreadable],
    [
      "an asynchronous schema",
      1,
      { $async: true, type: "string" },
      { fits: "unknown", fault: "The schema is asynchronous." },
    ],
    [
      "a schema that is too large",
      1,
      { description: "a".repeat(300_000) },
      { fits: "unknown", fault: "The schema is too large to be checked." },
    ],
  ];
  for (const [name, value, schema, verdict] of cases)
    it(`judges ${name}`, async () => {
      await using stage = openStage();
      assert.deepEqual(await stage.check(value, schema), verdict);
    });

  it("tells no more than a line of a long path", async () => {
    await using stage = openStage();
    const verdict = await stage.check(
      { ["a".repeat(1_000)]: 1 },
      { additionalProperties: { type: "string" } },
    );
    assert.ok(verdict.fits === false);
    assert.match(verdict.fault, /^\/a{199}…\.$/);
  });

  const slow: readonly (readonly [string, unknown, JsonObject])[] = [
    ["a pattern that backtracks without end", `"${"a".repeat(40)}!"`, { pattern: "^(a+)+$" }],
    ["a recursion that doubles with each level", nested(40), doubled],
  ];
  for (const [name, value, schema] of slow)
    it(`ends ${name} by its limit, and goes on with the checks of others`, async () => {
      await using stage = openStage();
      const check = stage.check(value, schema);
      const other = stage.check({ name: "Ada", age: 36 }, person, "bob");
      // Two wait for their turn, and one runs.
      await until(() => stage.clock.sleeping === 3);
      await stage.clock.advance(1_000);
      assert.deepEqual([await check, await other], [tooLong, { fits: true }]);
    });

  it("lets no owner wait for all checks of another", async () => {
    await using stage = openStage();
    const order: string[] = [];
    const asked = [..."aaab"].map((owner) => stage.check(1, {}, owner).then(() => order.push(owner)));
    await Promise.all(asked);
    assert.deepEqual(order, ["a", "a", "b", "a"]);
  });

  it("refuses to check more at once than it has room for", async () => {
    await using stage = openStage({ waiting: 1 });
    const first = stage.check(1, {});
    assert.deepEqual([await stage.check(1, {}), await first], [busy, { fits: true }]);
  });

  it("gives up a check that waits too long for its turn", async () => {
    await using stage = openStage({ waitingMs: 1_500 });
    const checks = [1, 2].map(() => stage.check(`"${"a".repeat(40)}!"`, { pattern: "^(a+)+$" }));
    const last = stage.check(1, {});
    await until(() => stage.clock.sleeping === 4);
    await stage.clock.advance(1_000);
    assert.deepEqual(await checks[0], tooLong);
    await stage.clock.advance(500);
    assert.deepEqual([await checks[1], await last], [busy, busy]);
  });

  it("ends its thread when it is idle, and starts another for the next check", async () => {
    await using stage = openStage();
    await stage.check(1, {});
    assert.equal(stage.clock.sleeping, 1);
    await stage.clock.advance(30_000);
    assert.deepEqual(await stage.check(1, { type: "string" }), {
      fits: false,
      fault: "The answer must be string.",
    });
  });
});
