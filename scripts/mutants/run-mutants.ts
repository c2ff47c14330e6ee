import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { listFiles, root } from "../repository.ts";
import { chooseFiles } from "../run-test-files.ts";
import { writeRecord } from "../write-record.ts";
import { chooseMutants } from "./choose-mutants.ts";
import { findMutants, type Mutant, nameOf } from "./find-mutants.ts";
import { inParallel } from "./in-parallel.ts";
import { judgeMutant, type Verdict } from "./judge-mutant.ts";
import { openResultStore } from "./result-store.ts";
import { makeScratchCopy, type ScratchCopy } from "./scratch-copy.ts";
import { summarize } from "./summary.ts";
import { readArguments } from "./survivor-arguments.ts";
import { fingerprintOf, measureTestFile, type TestFile } from "./test-file.ts";

const argumentsPage = "docs/MUTANTS.md";
const cacheFile = join(root, "node_modules/.cache/troupe-mutants.jsonl");

const options = {
  seed: { type: "string", default: "1" },
  count: { type: "string", default: "260" },
  jobs: { type: "string", default: String(availableParallelism()) },
  tests: { type: "string", default: "Infinity" },
} as const;

/**
 * `npm run mutants`: changes the sources one place at a time and looks whether a test notices. `--count` mutants are
 * chosen by `--seed`, and `--jobs` run at a time, each in its own copy of the repository. Other arguments keep only the
 * chosen mutants of sources with that part in their path. `--tests` is the maximum number of test files per mutant, for a
 * quick look. If `RECORDS` names a folder, the result is written there. Returns the exit code: 1 if too few were caught,
 * or a survivor has no argument in `docs/MUTANTS.md`.
 */
export async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const { seed, count, jobs, tests } = values;
  const choice = {
    seed: Number(seed),
    count: Number(count),
    jobs: Number(jobs),
    maxTestFiles: Number(tests),
    filters: positionals,
  };
  if (!(choice.seed > 0 && choice.count > 0 && choice.jobs > 0 && choice.maxTestFiles > 0)) {
    console.error("--seed, --count, --jobs and --tests must be numbers above 0");
    return 1;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const startedAtMs = performance.now();
  try {
    const { verdicts, stale } = await judgeAll(choice, stop.signal);
    const summary = summarize(verdicts, readArguments(await readPage()));
    const minutes = Math.ceil((performance.now() - startedAtMs) / 60_000);
    console.log(`\n${summary.text}\n\n${verdicts.length} mutants in ${minutes} min`);
    const faults = [...summary.faults, ...stale.map((name) => `an argument for no mutant: ${name}`)];
    for (const fault of faults) console.error(fault);
    const command = ["npm run mutants", ...(args.length === 0 ? [] : ["--", ...args])].join(" ");
    const record = { program: "scripts/mutants.js", command, minutes, results: `\n${summary.text}` };
    if (environment.RECORDS !== undefined) writeRecord(environment.RECORDS, "mutants", record);
    return faults.length === 0 ? 0 : 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error("stopped; the next run goes on from here");
    return 130;
  }
}

function readPage(): Promise<string> {
  return readFile(join(root, argumentsPage), "utf8");
}

interface Choice {
  readonly seed: number;
  readonly count: number;
  readonly jobs: number;
  readonly maxTestFiles: number;
  readonly filters: readonly string[];
}

/** The verdicts in the order of the sources, and the names of arguments whose mutant no longer exists. */
async function judgeAll(
  { seed, count, jobs, maxTestFiles, filters }: Choice,
  signal: AbortSignal,
): Promise<{ verdicts: Verdict[]; stale: string[] }> {
  await using stack = new AsyncDisposableStack();
  const copies: [ScratchCopy, ...ScratchCopy[]] = [stack.use(await makeScratchCopy())];
  while (copies.length < jobs) copies.push(stack.use(await makeScratchCopy()));
  const all = await mutantsOf(copies[0].path);
  const names = new Set(all.map(nameOf));
  const stale = readArguments(await readPage()).filter(({ name }) => !names.has(name));
  const chosenFiles = new Set(chooseFiles([...new Set(all.map(({ file }) => file))], filters));
  const chosen = chooseMutants(all, count, seed).filter(({ file }) => chosenFiles.has(file));
  console.log(`${all.length} mutants, ${chosen.length} of them chosen`);

  const store = openResultStore(cacheFile);
  const tests = await measureTests(copies, store, signal);
  let judged = 0;
  const verdicts = await inParallel(chosen, copies, async (mutant, copy) => {
    const verdict = await judgeMutant(mutant, { tests, copy, store, signal, maxTestFiles });
    judged += 1;
    const end = verdict.caughtBy ?? `SURVIVED ${mutant.before} -> ${mutant.after}`;
    console.log(`${judged}/${chosen.length} ${mutant.file}:${mutant.line} ${end}`);
    return verdict;
  });
  return { verdicts, stale: stale.map(({ name }) => name) };
}

async function mutantsOf(copy: string): Promise<Mutant[]> {
  const files = globSync("src/{server,chat,doors,adapters,client,protocol}/**/*.ts", { cwd: copy });
  const texts = chooseFiles(files, []).map(async (file) =>
    findMutants(file, await readFile(join(copy, file), "utf8")),
  );
  return (await Promise.all(texts)).flat();
}

async function measureTests(
  copies: readonly ScratchCopy[],
  store: ReturnType<typeof openResultStore>,
  signal: AbortSignal,
): Promise<TestFile[]> {
  const [{ path } = { path: root }] = copies;
  const files = chooseFiles(globSync("tests/**/*.test.ts", { cwd: path, exclude: ["tests/long/**"] }), []);
  const fingerprint = await fingerprintOf(path, await listFiles());
  const measured = await inParallel(files, copies, (file, copy) =>
    measureTestFile(file, fingerprint, copy, store, signal),
  );
  const unfit = measured.filter(({ outcome }) => outcome !== "passed");
  for (const { file, outcome } of unfit) console.log(`${file} ${outcome} without a mutant and is left out`);
  return measured.filter((test) => !unfit.includes(test));
}
