import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

/** PostgreSQL commits with `fdatasync` on Linux. */
const source = (ms: number) => `
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int fdatasync(int file) {
  struct timespec pause = { 0, ${ms * 1_000_000} };
  nanosleep(&pause, 0);
  return syscall(SYS_fdatasync, file);
}
`;

const compiler = ["/usr/bin/cc", "/usr/bin/gcc"].find((file) => existsSync(file));

export const hasCompiler = compiler !== undefined;

/** The variables that make every `fdatasync` of a program take `ms` longer. Needs a C compiler. */
export async function slowSync(
  ms: number,
): Promise<AsyncDisposable & { readonly environment: Readonly<Record<string, string>> }> {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-sync-"));
  // The program may run as another user.
  await chmod(folder, 0o755);
  const [file, library] = [path.join(folder, "sync.c"), path.join(folder, "sync.so")];
  await writeFile(file, source(ms));
  const { status, stderr } = spawnSync(compiler ?? "cc", ["-shared", "-fPIC", "-O1", "-o", library, file], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`no library was made: ${stderr}`);
  return {
    environment: { LD_PRELOAD: library },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
