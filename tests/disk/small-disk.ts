import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";

/** Why a test is skipped without it. */
export const noMount = "no file system can be mounted here; tests/disk/full-disk.test.ts plays a full one";

/** Mounts a small file system; `undefined` if this user may not mount one. That depends on the machine and is not a missing tool. */
export async function mountSmallDisk(folder: string): Promise<AsyncDisposable | undefined> {
  await mkdir(folder);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return {
    async [Symbol.asyncDispose]() {
      execFileSync("umount", ["--lazy", folder]);
    },
  };
}
