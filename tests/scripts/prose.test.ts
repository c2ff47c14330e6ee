import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findInProse } from "../../scripts/prose.ts";
import { readProse } from "../../scripts/read-prose.ts";

const faultsOf = (path: string, text: string) =>
  readProse(path, text).flatMap((prose) => findInProse(prose).map((fault) => `${prose.line}: ${fault}`));

describe("the rule for prose", () => {
  it("finds words that name no thing, in comments and not in code", () => {
    const source = [
      "const what = 1; // Says what is there.",
      "/**",
      " * A caller who waits is fine.",
      " * Those who wait are not; nor is whoever",
      " * waits, or `what`, or “who waits”.",
      " */",
      'const who = "What?";',
    ].join("\n");
    assert.deepEqual(faultsOf("tests/a.ts", source), [
      "1: “what”: name the thing: Says what is there.",
      "3: “whoever”: name the person or the part: Those who wait are not; nor is whoever waits, or CODE, or “who waits”.",
      "3: “Those who”: name the things: Those who wait are not; nor is whoever waits, or CODE, or “who waits”.",
    ]);
  });

  it("finds long sentences, and joins the lines of one", () => {
    const words = (count: number) => Array.from({ length: count }, () => "word").join(" ");
    const source = `// ${words(20)}\n// ${words(11)}.\n\n// ${words(30)}. ${words(30)}`;
    assert.deepEqual(
      faultsOf("src/a.ts", source).map((fault) => fault.slice(0, 37)),
      ["1: a sentence of 31 words, at most 30"],
    );
  });

  it("reads sentences for users in the sources only", () => {
    const source = 'const help = "Who may do what they want."; const name = "what";';
    assert.equal(faultsOf("src/a.ts", source).length, 2);
    assert.deepEqual(faultsOf("tests/a.ts", source), []);
    assert.deepEqual(faultsOf("src/adapters/demo/a.ts", source), []);
  });

  it("reads documents by paragraph, item and cell, without code, and measures titles", () => {
    const page = [
      `# ${"t".repeat(73)}`,
      "Says `what` it is.",
      "- Somebody, whom I know.",
      "| a | what it is |",
      "```sh",
      "echo what",
      "```",
    ].join("\n");
    assert.deepEqual(faultsOf("README.md", page), [
      "3: “whom”: name the person or the part: - Somebody, whom I know.",
      "4: “what”: name the thing: what it is",
      "1: a title of 73 characters, at most 72",
    ]);
  });

  it("reads comments of styles, pages and Python", () => {
    assert.equal(faultsOf("a.css", "a { } /* what */").length, 1);
    assert.equal(faultsOf("a.html", "<p>what</p><!-- what -->").length, 1);
    assert.equal(faultsOf("a.py", "what = 1  # what").length, 1);
  });
});
