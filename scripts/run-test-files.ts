import { spawn } from "node:child_process";
import { once } from "node:events";
import { root } from "./repository.ts";
import { testEnvironment } from "./test-environment.ts";

/** How a set of test files is run. */
export interface TestRun {
  /** Files at a time, each in a process of its own. */
  readonly concurrency: number;
  /** For each test. A file as a whole has 5 s more, so that its last test can still be told by name. */
  readonly timeoutMs: number;
  /** One of Node's own reporters by its name, or the address of a module that is one. */
  readonly reporter: string;
  /** The caller's; the tests get it cleaned of keys and settings. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Runs test files (paths from the root) with Node's test runner and gives back its exit code; 1 where there is no file to run. */
export async function runTestFiles(
  files: readonly string[],
  args: readonly string[],
  { concurrency, timeoutMs, reporter, environment }: TestRun,
): Promise<number> {
  const { options, filters } = splitArguments(args);
  const chosen = chooseFiles(files, filters);
  if (chosen.length === 0) {
    console.error(
      filters.length === 0 ? "there are no test files" : `no test file matches ${filters.join(" ")}`,
    );
    return 1;
  }
  const child = spawn(
    process.execPath,
    [
      "--test",
      "--conditions=troupe-source",
      `--test-concurrency=${concurrency}`,
      `--test-timeout=${timeoutMs}`,
      `--import=${import.meta.resolve("./test-deadline.ts")}?ms=${timeoutMs + 5_000}`,
      `--test-reporter=${reporter}`,
      ...options,
      ...chosen,
    ],
    { cwd: root, stdio: "inherit", env: testEnvironment(environment) },
  );
  const [code] = await once(child, "close");
  return typeof code === "number" ? code : 1;
}

/** Arguments with a hyphen in front go to Node, the others choose files by a part of their path. */
export function splitArguments(args: readonly string[]): {
  readonly options: readonly string[];
  readonly filters: readonly string[];
} {
  const isOption = (arg: string) => arg.startsWith("-");
  return { options: args.filter(isOption), filters: args.filter((arg) => !isOption(arg)) };
}

/** The files whose path contains one of the filters, all of them without a filter; sorted, with forward slashes. */
export function chooseFiles(files: readonly string[], filters: readonly string[]): string[] {
  const paths = files.map((path) => path.replaceAll("\\", "/")).sort();
  const parts = filters.map((filter) => filter.replaceAll("\\", "/").replace(/^\.\//, ""));
  return parts.length === 0 ? paths : paths.filter((path) => parts.some((part) => path.includes(part)));
}
