import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const program = fileURLToPath(new URL("./crowd-program.ts", import.meta.url));
const options = ["--max-old-space-size=256", "--conditions=troupe-source"];

for (const [attack, code] of [
  ["8 personas", "too_many_requests"],
  ["waiting frames", "too_many_requests"],
] as const) {
  it(`a process of 256 MiB refuses requests it has no room for, and survives: ${attack}`, async (test) => {
    const { stdout } = await promisify(execFile)(process.execPath, [...options, program, attack]);
    const { codes, maxMegabytes } = JSON.parse(stdout) as { codes: object; maxMegabytes: number };
    test.diagnostic(`${JSON.stringify(codes)}, heap at most ${maxMegabytes} MB`);
    assert.ok(code in codes);
  });
}
