import { spawn } from "node:child_process";
import { once } from "node:events";
import { root } from "./repository.ts";
import { testEnvironment } from "./test-environment.ts";

/** How a set of test files is run. */
export interface TestRun {
  /** Number of files that run at a time, each in its own process. */
  readonly concurrency: number;
  /** Time limit of a test. A whole file has 5 s more, so that its last test can still be reported by name. */
  readonly timeoutMs: number;
  /** The name of one of Node's own reporters, or the address of a reporter module. */
  readonly reporter: string;
  /** The caller's environment. The tests get it without keys and settings. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Runs test files (paths from the root) with Node's test runner and returns its exit code; 1 if there is no file to run. */
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

/** Arguments that start with a hyphen go to Node. The others choose files by a part of their path. */
export function splitArguments(args: readonly string[]): {
  readonly options: readonly string[];
  readonly filters: readonly string[];
} {
  const isOption = (arg: string) => arg.startsWith("-");
  return { options: args.filter(isOption), filters: args.filter((arg) => !isOption(arg)) };
}

/** The files whose path contains one of the filters, or all files without a filter; sorted, with forward slashes. */
export function chooseFiles(files: readonly string[], filters: readonly string[]): string[] {
  const paths = files.map((path) => path.replaceAll("\\", "/")).sort();
  const parts = filters.map((filter) => filter.replaceAll("\\", "/").replace(/^\.\//, ""));
  return parts.length === 0 ? paths : paths.filter((path) => parts.some((part) => path.includes(part)));
}
