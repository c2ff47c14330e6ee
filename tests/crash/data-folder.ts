import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

/** A folder for one server's data, deleted at the end of its scope. */
export async function createDataFolder(): Promise<AsyncDisposable & { folder: string; database: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-crash-"));
  return {
    folder,
    database: path.join(folder, "troupe.db"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
