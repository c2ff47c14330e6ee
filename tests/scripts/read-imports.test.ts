import assert from "node:assert/strict";
import { test } from "node:test";
import { readImports } from "../../scripts/read-imports.ts";

function specifiers(text: string, fileName = "file.ts"): string[] {
  return readImports(text, fileName).map(({ specifier }) => specifier);
}

test("every form of import and re-export is found", () => {
  const source = `#!/usr/bin/env node
    import defaultOne from "./default.ts";
    import both, { named, type Inline } from './both.ts';
    import * as everything from "./everything.ts"
    import "./effect.ts";
    import { "odd name" as odd } from "./odd.ts";
    import type { Shape } from "./shape.ts";
    export { named } from "./re-export.ts";
    export * from "./star.ts";
    export * as group from "./group.ts";
    export type { Other } from "./other.ts";
    const later = await import("./later.ts");
    type Far = import("./far.ts").Far;`;
  assert.deepEqual(specifiers(source), [
    "./default.ts",
    "./both.ts",
    "./everything.ts",
    "./effect.ts",
    "./odd.ts",
    "./shape.ts",
    "./re-export.ts",
    "./star.ts",
    "./group.ts",
    "./other.ts",
    "./later.ts",
    "./far.ts",
  ]);
});

test("text in comments, strings, templates and regular expressions is not an import", () => {
  const source = `
    // import "./comment.ts";
    /* export * from "./block.ts"; */
    const a = 'import "./string.ts"';
    const b = \`import "./template.ts" \${a + \`export * from "./inner.ts"\`} import "./tail.ts"\`;
    const c = /import "[.]\\/pattern.ts"/;
    const d = total / 2; const e = "/"; import "./real.ts";`;
  assert.deepEqual(specifiers(source), ["./real.ts"]);
});

test("an import inside of a template's expression is code", () => {
  const source = `const a = \`x \${(await import("./inside.ts")).name} y\`;`;
  assert.deepEqual(specifiers(source), ["./inside.ts"]);
});

test("exports of one's own, members called import, and import.meta name no module", () => {
  const source = `
    export { one, two };
    export const from = "./nothing.ts";
    export type Word = { from: "./nothing.ts" };
    export default class {}
    loader.import("./method.ts");
    import.meta.resolve("./resolved.ts");`;
  assert.deepEqual(specifiers(source), []);
});

test("an import is type-only when nothing of it is left at run time", () => {
  const source = [
    'import type { A } from "./a.ts";',
    'export type { B } from "./b.ts";',
    'import { type C } from "./c.ts";',
    'import type from "./d.ts";',
    'import type from from "./e.ts";',
  ].join("\n");
  assert.deepEqual(
    readImports(source, "file.ts").map(({ typeOnly, line }) => [typeOnly, line]),
    [
      [true, 1],
      [true, 2],
      [false, 3],
      [false, 4],
      [true, 5],
    ],
  );
});

test("apostrophes and closing tags in JSX do not hide later imports", () => {
  const source = `const view = <p title="it's">It's # 1 <b>late</b><br /></p>;\nawait import("./after.ts");`;
  assert.deepEqual(specifiers(source, "view.tsx"), ["./after.ts"]);
});

test("a source whose end cannot be read is refused, because imports could hide in it", () => {
  assert.throws(() => readImports('const a = `never closed\nimport "./hidden.ts";', "open.ts"), /open\.ts:1/);
});
