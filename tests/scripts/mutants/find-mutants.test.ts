import assert from "node:assert/strict";
import { test } from "node:test";
import { applyMutant, findMutants, nameOf } from "../../../scripts/mutants/find-mutants.ts";

/** The mutated texts of a source, one per mutant. */
function mutantsOf(text: string): string[] {
  return findMutants("source.ts", text).map((mutant) => applyMutant(text, mutant));
}

const rows: readonly (readonly [string, string, readonly string[]])[] = [
  ["a condition is negated", "if (isOpen) f = g;", ["if (!(isOpen)) f = g;", "if (isOpen) ;"]],
  ["a choice is negated", "x(a ? b : c) + y", ["x(!(a) ? b : c) + y", "x(a ? b : c) - y"]],
  ["a boundary moves", "const b = n < max;", ["const b = n <= max;"]],
  ["an equality that is no condition of its own turns", "const b = n === m;", ["const b = n !== m;"]],
  [
    "a condition of several parts",
    "a && !b ? c : d;",
    ["!(a && !b) ? c : d;", "a || !b ? c : d;", "a && b ? c : d;"],
  ],
  ["a default loses each of its sides", "const x = a ?? b;", ["const x = (a);", "const x = (b);"]],
  ["sums turn, texts are not taken apart", "s = a - b + `t`; n += 'u' + m;", ["s = a + b + `t`;", "n -= "]],
  ["a step turns", "for (;;) i++;", ["for (;;) i--;"]],
  ["small numbers are counted on", "const n = 1;", ["const n = 2;"]],
  [
    "large numbers become nothing and a thousand times as large",
    "const n = 5_000;",
    ["const n = 0;", "const n = 5000000;"],
  ],
  ["truth turns", "const isOpen = true;", ["const isOpen = false;"]],
  [
    "a text counts only if something is compared with it",
    'const b = a === "x"; const c = "y";',
    ['const b = a !== "x";', 'const b = a === "";'],
  ],
  ["a call for its effect goes, also an awaited one", "await release();", [";"]],
  ["a deletion goes", "delete a.b;", [";"]],
  [
    "a way out under a condition goes",
    "function f() { if (a) return; else { throw b; } return c; }",
    ["if (!(a)) return;", "if (a) ;", "{ ; }"],
  ],
  ["a spread of an object is empty", "const a = { ...b };", ["const a = { ...{} };"]],
  ["methods change places", "const a = b.some(c), d = Math.min(e, f);", ["b.every(c)", "Math.max(e, f)"]],
  ["a caught fault is not caught", "const a = b.catch(c);", ["const a = b;"]],
  ["parts of a try are empty", "try { a; } catch { b; } finally { c; }", ["catch {} finally", "finally {}"]],
];

for (const [name, text, expected] of rows)
  test(`mutants: ${name}`, () => {
    const found = mutantsOf(text);
    for (const part of expected)
      assert.ok(
        found.some((mutant) => mutant.includes(part)),
        `${part} is not among:\n${found.join("\n")}`,
      );
  });

test("words of the log, descriptions, types, imports and names of fields are left alone", () => {
  const text = [
    'import a from "a" with { type: "json" };',
    "interface B { readonly c: true; readonly d: 1 }",
    "const e: 1 | true = f as 1;",
    'const g = h.describe(i + 1, j === "k");',
    'const l = { "m": n, 200: o };',
  ].join("\n");
  assert.deepEqual(mutantsOf(text), []);
  assert.deepEqual(mutantsOf("this.#log.error({ n: a + 1 });"), [";"]);
});

test("every mutant is valid, differs from its source and names its line", () => {
  const text = "const a = 1;\n\nif (a < 2)\n  f(\n    a,\n  );\n";
  const found = findMutants("source.ts", text);
  assert.deepEqual(
    found.map(({ line, before, after }) => [line, before, after]),
    [
      [1, "const a = 1;", "const a = 2;"],
      [3, "if (a < 2)", "if (!(a < 2))"],
      [3, "if (a < 2)", "if (a <= 2)"],
      [3, "if (a < 2)", "if (a < 3)"],
      [4, "f( a, );", ";"],
    ],
  );
});

test("a mutant keeps its name if its line moves", () => {
  const [here] = findMutants("source.ts", "const a = 1;");
  const [moved] = findMutants("source.ts", "// A comment.\n\n    const a = 1;");
  assert.ok(here !== undefined && moved !== undefined);
  assert.equal(nameOf(moved), nameOf(here));
});
