import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { run } from "node:test";
import { table } from "../markdown-tables.ts";
import { root } from "../repository.ts";
import { testEnvironment } from "../test-environment.ts";
import { writeRecord } from "../write-record.ts";
import { type FaultKind, faultKinds } from "./kinds.ts";

/** One example of a kind. */
interface Case {
  readonly kind: string;
  readonly name: string;
  readonly passed: boolean;
}

/** A test that contains no other tests. */
interface Leaf {
  readonly file: string;
  /** The test's name after the names of its suites. */
  readonly name: string;
  readonly passed: boolean;
}

const headings = ["kind", "first case", "middle case", "last case", "cases", "failed"];

/**
 * `npm run fault-kinds`: plays every case of every kind of fault in `kinds.ts` and prints one row for each. If `RECORDS` names a folder,
 * a table of the kinds and a list of all cases are written there. Returns the exit code: 1 if a case failed, or a kind has none.
 */
export async function main(environment: NodeJS.ProcessEnv): Promise<number> {
  const files = [...new Set(faultKinds.flatMap(({ tests }) => tests.map(([file]) => file)))];
  const leaves = await runLeaves(files, environment);
  const cases = faultKinds.flatMap((kind) => casesOf(kind, leaves));
  const empty = faultKinds.filter(({ kind }) => !cases.some((one) => one.kind === kind));
  const failed = cases.filter(({ passed }) => !passed);
  const sum = `${faultKinds.length} kinds, ${cases.length} cases, ${failed.length} failed`;
  const kinds = faultKinds.map(({ kind }) => rowOf(kind, cases));
  const everyCase = cases.map(({ kind, name, passed }) => [kind, name, passed ? "holds" : "FAILED"]);
  const list = table(["kind", "case", "result"], everyCase);
  console.log(`${list}\n\n${sum}`);
  for (const { kind } of empty) console.error(`no test plays the kind: ${kind}`);
  if (environment.RECORDS !== undefined) {
    const results = [sum, "", table(headings, kinds)].join("\n");
    const record = { program: "scripts/fault-kinds.js", command: "npm run fault-kinds", results };
    writeRecord(environment.RECORDS, "fault-kinds", record);
    writeFileSync(
      join(environment.RECORDS, "fault-kinds.md"),
      `# Every case of every kind of fault\n\n${list}\n`,
    );
  }
  return failed.length === 0 && empty.length === 0 ? 0 : 1;
}

/** A kind with its first, middle and last case, which are rarely of the same sort. */
function rowOf(kind: string, all: readonly Case[]): string[] {
  const cases = all.filter((one) => one.kind === kind);
  const names = cases.map(({ name }) => name.split(" > ").at(-1) ?? name);
  const chosen = new Set([names[0], names[names.length >> 1], names.at(-1)]);
  const failed = cases.filter(({ passed }) => !passed).length;
  const [first = "", ...others] = chosen;
  const last = others.pop() ?? "";
  const [middle = ""] = others;
  return [kind, first, middle, last, String(cases.length), String(failed)];
}

function casesOf({ kind, tests }: FaultKind, leaves: readonly Leaf[]): Case[] {
  return tests.flatMap(([file, pattern]) =>
    leaves
      .filter((leaf) => leaf.file === file && (pattern?.test(leaf.name) ?? true))
      .map(({ name, passed }) => ({ kind, name, passed })),
  );
}

async function runLeaves(files: readonly string[], environment: NodeJS.ProcessEnv): Promise<Leaf[]> {
  const env = testEnvironment(environment);
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  const events = run({
    files: files.map((file) => join(root, file)),
    concurrency: 2,
    timeout: 120_000,
    execArgv: ["--conditions=troupe-source"],
  });
  const leaves: Leaf[] = [];
  // Names by depth. A suite starts before its tests start and ends after they end.
  const open = new Map<string, string[]>();
  for await (const { type, data } of events) {
    if (type !== "test:start" && type !== "test:pass" && type !== "test:fail") continue;
    const file = relative(root, data.file ?? "").replaceAll("\\", "/");
    const names = open.get(file) ?? [];
    open.set(file, names);
    names[data.nesting] = data.name;
    if (type === "test:start" || data.details.type === "suite") continue;
    leaves.push({
      file,
      name: names.slice(0, data.nesting + 1).join(" > "),
      passed: type === "test:pass",
    });
  }
  return leaves;
}
