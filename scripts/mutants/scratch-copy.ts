import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { listFiles, root } from "../repository.ts";
import { applyMutant, type Mutant } from "./find-mutants.ts";

/** A copy of the repository in which sources are changed, so that the checkout never is. */
export interface ScratchCopy extends AsyncDisposable {
  readonly path: string;
  /** Where tests put their temporary files. They go with the copy. */
  readonly temporary: string;
  /** Puts a mutant in the place of its source until the returned function is called. */
  apply(mutant: Mutant): Promise<() => Promise<void>>;
}

export async function makeScratchCopy(): Promise<ScratchCopy> {
  // A short name: the paths of local sockets below it have a limit of about 100 characters.
  const path = await mkdtemp(join(tmpdir(), "mut-"));
  for (const file of await listFiles()) {
    await mkdir(dirname(join(path, file)), { recursive: true });
    await cp(join(root, file), join(path, file));
  }
  await symlink(join(root, "node_modules"), join(path, "node_modules"));
  await mkdir(join(path, "tmp"));
  return openScratchCopy(path);
}

/** A copy that is there already. It is removed in the end all the same. */
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
