import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Absolute path of the repository's root, without a slash at the end. */
export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/**
 * Paths from the root of every file that is or would be committed (tracked, or new and not ignored), sorted. Deleted
 * files are left out even if the deletion is not committed yet.
 */
export async function listFiles(): Promise<string[]> {
  const stdout = await git("ls-files", "-z", "--cached", "--others", "--exclude-standard");
  const paths = new Set(stdout.split("\0").filter((path) => path !== ""));
  return [...paths].filter((path) => existsSync(join(root, path))).sort();
}

/** The title of the last commit that is no merge. */
export async function lastCommitTitle(): Promise<string> {
  return (await git("log", "-1", "--no-merges", "--format=%s")).trimEnd();
}

async function git(...args: string[]): Promise<string> {
  // Otherwise git refuses a checkout that another user owns, which is common in CI containers.
  const trusted = ["-c", `safe.directory=${root}`, ...args];
  const { stdout } = await promisify(execFile)("git", trusted, { cwd: root, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** The files among `paths` with one of `extensions` (with their dot) in one of `folders`, with their contents. */
export async function readFiles(
  paths: readonly string[],
  folders: readonly string[],
  extensions: readonly string[],
): Promise<{ path: string; text: string }[]> {
  const wanted = paths.filter(
    (path) => folders.includes(path.split("/")[0] ?? "") && extensions.includes(extname(path)),
  );
  return Promise.all(wanted.map(async (path) => ({ path, text: await readFile(join(root, path), "utf8") })));
}
