import assert from "node:assert/strict";
import { test } from "node:test";
import { countLines, measureFiles } from "../../scripts/file-size.ts";

test("a line end at the very end starts no line", () => {
  assert.deepEqual(["", "a", "a\n", "a\nb", "a\n\n"].map(countLines), [0, 1, 1, 2, 2]);
});

test("a file of exactly the limit passes, one line more does not", () => {
  const { tooLong } = measureFiles(
    [
      { path: "src/fits.ts", lines: 300 },
      { path: "src/long.ts", lines: 301 },
      { path: "src/longest.ts", lines: 400 },
    ],
    300,
  );
  assert.deepEqual(
    tooLong.map((finding) => finding.split(":")[0]),
    ["src/longest.ts", "src/long.ts"],
  );
});

test("the note gives the number of files, the median and the longest", () => {
  const files = [12, 7, 250, 90].map((lines) => ({ path: `src/${lines}.ts`, lines }));
  assert.equal(measureFiles(files, 300).note, "4 files, median 12 lines, longest 250 (src/250.ts)");
  assert.equal(measureFiles([], 300).note, "no files");
});
