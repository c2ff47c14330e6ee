import assert from "node:assert/strict";
import { test } from "node:test";
import { readAnchors, readLinks, readNamedParts } from "../../scripts/markdown-links.ts";

test("relative links are found with their line; addresses with a scheme are left alone", () => {
  const markdown = [
    'See [one](docs/one.md) and ![two](two.png "a title"), [here](#part),',
    "[out](https://example.org/a.md), [mail](mailto:a@example.org), [over](//example.org/x).",
    "[named]: ./three.md",
  ].join("\n");
  assert.deepEqual(readLinks(markdown), [
    { target: "docs/one.md", line: 1 },
    { target: "two.png", line: 1 },
    { target: "#part", line: 1 },
    { target: "./three.md", line: 3 },
  ]);
});

test("parts of pages that a comment names are found, also over two lines", () => {
  const text = [
    "/**",
    ' * A third less memory (docs/PAGE.md, "Where the',
    ' * time goes"). See "Plain English" in CONTRIBUTING.md.',
    " */",
    'read("docs/PAGE.md", "utf8");',
  ].join("\n");
  assert.deepEqual(readNamedParts(text), [
    { page: "docs/PAGE.md", title: "Where the time goes", line: 2 },
    { page: "CONTRIBUTING.md", title: "Plain English", line: 3 },
  ]);
});

test("links in code are no links", () => {
  const markdown = ["`[a](b.md)` and `` [c](`d`.md) ``", "```", "[e](f.md)", "```", "[g](h.md)"].join("\n");
  assert.deepEqual(readLinks(markdown), [{ target: "h.md", line: 5 }]);
});

test("headings become anchors as GitHub makes them", () => {
  const markdown = [
    "# Hello, World!",
    "## `multi_chat` & its lanes",
    "## [Linked](x.md) title ##",
    "## Same",
    "## Same",
    "```",
    "# not a heading",
    "```",
    '<a id="by-hand"></a>',
  ].join("\n");
  assert.deepEqual(
    [...readAnchors(markdown)],
    ["hello-world", "multi_chat--its-lanes", "linked-title", "same", "same-1", "by-hand"],
  );
});
