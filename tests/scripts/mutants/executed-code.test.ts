import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { executedPieces, isExecuted, readExecutedCode } from "../../../scripts/mutants/executed-code.ts";

const range = (startOffset: number, endOffset: number, count: number) => ({ startOffset, endOffset, count });

test("the innermost range around a place decides", () => {
  const ranges = [range(0, 100, 1), range(10, 50, 0), range(20, 30, 2), range(60, 70, 0), range(70, 80, 0)];
  assert.deepEqual(executedPieces(ranges), [
    [0, 10],
    [20, 30],
    [50, 60],
    [80, 100],
  ]);
});

test("the coverage of a program, its threads and its child processes is merged", async () => {
  const root = await mkdtemp(join(tmpdir(), "executed-code-"));
  try {
    await mkdir(join(root, "src"));
    const source = [
      "export function choose(isÄrger: boolean): string {",
      '  if (isÄrger) return "yes";',
      '  return "no";',
      "}",
      'export const never = (): string => "never";',
    ].join("\n");
    await writeFile(join(root, "src/choose.ts"), source);
    await writeFile(
      join(root, "main.ts"),
      [
        'import { spawnSync } from "node:child_process";',
        'import { Worker } from "node:worker_threads";',
        'import { choose } from "./src/choose.ts";',
        'if (process.argv[2] === "child") choose(true);',
        "else {",
        '  spawnSync(process.execPath, [import.meta.filename, "child"]);',
        '  new Worker(new URL("thread.ts", import.meta.url));',
        "}",
      ].join("\n"),
    );
    await writeFile(join(root, "thread.ts"), 'import { choose } from "./src/choose.ts";\nchoose(false);\n');
    const coverage = join(root, "coverage");
    const { NODE_TEST_CONTEXT, ...environment } = process.env;
    const env = { ...environment, NODE_V8_COVERAGE: coverage };
    assert.equal(spawnSync(process.execPath, [join(root, "main.ts")], { env }).status, 0);

    const code = await readExecutedCode(coverage, root);
    const ran = (text: string) => isExecuted(code, "src/choose.ts", source.indexOf(text));
    assert.deepEqual(Object.keys(code), ["src/choose.ts"]);
    assert.deepEqual(['return "yes"', 'return "no"', '"never"'].map(ran), [true, true, false]);
  } finally {
    await rm(root, { recursive: true });
  }
});
