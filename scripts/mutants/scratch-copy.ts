import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { listFiles, root } from "../repository.ts";
import { applyMutant, type Mutant } from "./find-mutants.ts";

/** A copy of the repository in which sources are changed, so that the checkout stays as it is. */
export interface ScratchCopy extends AsyncDisposable {
  readonly path: string;
  /** The folder for the tests' temporary files. It is removed with the copy. */
  readonly temporary: string;
  /** Replaces a source by its mutant until the returned function is called. */
  apply(mutant: Mutant): Promise<() => Promise<void>>;
}

export async function makeScratchCopy(): Promise<ScratchCopy> {
  // A short name, because the paths of local sockets below it are limited to about 100 characters.
  const path = await mkdtemp(join(tmpdir(), "mut-"));
  for (const file of await listFiles()) {
    await mkdir(dirname(join(path, file)), { recursive: true });
    await cp(join(root, file), join(path, file));
  }
  await symlink(join(root, "node_modules"), join(path, "node_modules"));
  await mkdir(join(path, "tmp"));
  return openScratchCopy(path);
}

/** Opens an existing copy. It is removed in the end all the same. */
export function openScratchCopy(path: string): ScratchCopy {
  return {
    path,
    temporary: join(path, "tmp"),
    async apply(mutant) {
      const file = join(path, mutant.file);
      const text = await readFile(file, "utf8");
      await writeFile(file, applyMutant(text, mutant));
      return () => writeFile(file, text);
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
