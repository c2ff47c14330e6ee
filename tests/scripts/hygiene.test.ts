import assert from "node:assert/strict";
import { test } from "node:test";
import { findUnclean } from "../../scripts/hygiene.ts";

// Each is written in two parts, so that the check does not find it here.
const refused: [text: string, reason: RegExp][] = [
  [`// TO${"DO"}: later`, /unfinished/],
  [`# FIX${"ME"}`, /unfinished/],
  [`test.on${"ly("}"one", run);`, /only one test/],
  [`test.sk${"ip("}"one", run);`, /skipped/],
  [`// @ts-${"ignore"}`, /compiler/],
  [`const value = input as ${"any"};`, /types off/],
  [`try { run(); } ${"catch"} {}`, /empty catch/],
  [`try { run(); } ${"catch"} (error) { /* never mind */ }`, /empty catch/],
  [`run().${"catch"}(() => {});`, /empty catch/],
  [`const path = "/ho${"me/"}maria/project";`, /own machine/],
  [`const path = "file:///Us${"ers/"}maria/project";`, /own machine/],
  [`cd /wo${"rk/"}main`, /own machine/],
];

for (const [text, reason] of refused) {
  test(`refused: ${text}`, () => {
    const findings = findUnclean("src/file.ts", `\n${text}\n`);
    assert.equal(findings.length, 1);
    assert.match(findings[0] ?? "", /^src\/file\.ts:2: /);
    assert.match(findings[0] ?? "", reason);
  });
}

const accepted = [
  "// handled the same as any other frame",
  "try { run(); } catch (error) { report(error); }",
  "run().catch((error) => report(error));",
  `// Needs a kernel with namespaces.\ntest.sk${"ip("}"one", run);`,
  `const generic = "/ho${"me/"}user/project";`,
  `const address = "https://example.org/ho${"me/"}maria/";`,
  `const relative = "./wo${"rk/"}main/";`,
];

for (const text of accepted) {
  test(`accepted: ${text}`, () => assert.deepEqual(findUnclean("src/file.ts", text), []));
}

test("rules about code look at code only", () => {
  assert.deepEqual(findUnclean("README.md", `taken as ${"any"} and ${"catch"} {} it`), []);
});

test("code that knows no door names no path of the wire", () => {
  const text = 'throw new TroupeError("persona_not_found", { field: "data.persona_id" });';
  for (const room of ["chat", "server", "ports", "adapters"])
    assert.match(findUnclean(`src/${room}/file.ts`, text)[0] ?? "", /:1: a path of the wire/);
  for (const path of ["src/doors/file.ts", "src/protocol/file.ts", "tests/chat/file.ts"])
    assert.deepEqual(findUnclean(path, text), []);
});

test("a lock file names no registry host", () => {
  assert.equal(findUnclean("package-lock.json", '"resolved": "https://registry.example/a.tgz"').length, 1);
  assert.deepEqual(findUnclean("package-lock.json", '"resolved": "packages/a"'), []);
});
