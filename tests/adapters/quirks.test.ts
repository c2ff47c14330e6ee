import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { openQuirks, shownQuirks } from "./quirks.ts";

const lastNumber = 61;

/** A test file, in which every value that fills a title is `…`. */
function readTests(file: string): string {
  return readFileSync(new URL(`../${file}`, import.meta.url), "utf8").replaceAll(/\$\{[^}]*\}/g, "…");
}

function hasTitle(tests: string, title: string): boolean {
  return ['"', "`"].some((quote) =>
    tests.split(`${quote}${title}${quote}`).some((before) => /\b(it|test)\(\s*$/.test(before)),
  );
}

const files = Object.entries(shownQuirks);
const shown = files.flatMap(([, titles]) => Object.values(titles).flat());

describe("the quirks of upstream APIs", () => {
  it("each have a test or a reason why there is none", (context) => {
    const known = new Set([...shown.map(([number]) => number), ...Object.keys(openQuirks).map(Number)]);
    const expected = Array.from({ length: lastNumber }, (_, at) => at + 1);
    assert.deepEqual(
      [...known].sort((one, other) => one - other),
      expected,
    );
    for (const [number, reason] of Object.entries(openQuirks)) context.diagnostic(`${number}: ${reason}`);
  });

  it("are each listed once", () => {
    const numbers = shown.map(([number]) => number);
    assert.deepEqual(
      numbers.filter((number, at) => numbers.indexOf(number) !== at),
      [],
    );
  });

  for (const [file, titles] of files)
    for (const [title, quirks] of Object.entries(titles))
      for (const [number, behaviour, row] of quirks)
        it(`${number}: ${behaviour}`, () => {
          const tests = readTests(file);
          assert.ok(hasTitle(tests, title), `${file} has no test "${title}"`);
          assert.ok(row === undefined || tests.includes(row), `${file} has no row ${row}`);
        });
});
