import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSnippets } from "../../scripts/snippets.ts";

const fence = "`".repeat(3);

function page(...lines: string[]): string {
  return lines.join("\n");
}

test("a snippet has its language, its code and the line where the code starts", () => {
  const markdown = page("# Title", "", `${fence}ts title="x"`, "const a = 1;", "", "use(a);", fence, "after");
  assert.deepEqual(parseSnippets(markdown, "PAGE.md"), [
    { language: "ts", code: "const a = 1;\n\nuse(a);\n", line: 4 },
  ]);
});

test("a marker just before the fence names the snippet; one further up does not", () => {
  const markdown = page(
    "<!-- snippet: near -->",
    `${fence}json`,
    "{}",
    fence,
    "<!-- snippet: far -->",
    "",
    `${fence}JSON`,
    "[]",
    fence,
  );
  assert.deepEqual(
    parseSnippets(markdown, "PAGE.md").map(({ name, language }) => [name, language]),
    [
      ["near", "json"],
      [undefined, "json"],
    ],
  );
});

test("a fence may be longer, of tildes, indented or without a language, and holds shorter fences", () => {
  const markdown = page(
    "````md",
    fence,
    "inner",
    fence,
    "````",
    "- item",
    "",
    `  ${fence}`,
    "  two",
    "    deeper",
    "  ```",
    "~~~js",
    "three()",
    "~~~",
  );
  assert.deepEqual(parseSnippets(markdown, "PAGE.md"), [
    { language: "md", code: `${fence}\ninner\n${fence}\n`, line: 2 },
    { language: "", code: "two\n  deeper\n", line: 9 },
    { language: "js", code: "three()\n", line: 13 },
  ]);
});

test("line ends of Windows make no difference", () => {
  assert.deepEqual(parseSnippets(`${fence}js\r\nrun();\r\n${fence}\r\n`, "PAGE.md"), [
    { language: "js", code: "run();\n", line: 2 },
  ]);
});

test("a fence that never closes and a name that stands twice are refused with their line", () => {
  assert.throws(
    () => parseSnippets(page("text", `${fence}js`, "run();"), "PAGE.md"),
    /PAGE\.md:2: .*never closes/,
  );
  const named = page("<!-- snippet: same -->", `${fence}js`, "run();", fence);
  assert.throws(() => parseSnippets(page(named, named), "PAGE.md"), /PAGE\.md:5: .*same/);
});
