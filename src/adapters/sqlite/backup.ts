import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";

/** Rights of the owner only, as the database has. */
const fileMode = 0o600;

/**
 * Copies the database to a new file, while a server may use it: the copy has the state at one moment, and no commit waits for it. It is
 * complete and checked when it gets its name. Rejects with one clear line if the database is missing, or if the file is already there.
 *
 * `VACUUM INTO` reads in one transaction. The backup interface of SQLite would start again with each commit of the server.
 */
export async function backUpDatabase(database: string, target: string): Promise<void> {
  if (!existsSync(database)) throw new Error(`${database}: there is no database`);
  if (existsSync(target)) throw new Error(`${target}: there is a file already`);
  const partial = `${target}.partial`;
  await rm(partial, { force: true });
  await (await open(partial, "wx", fileMode)).close();
  try {
    copy(database, partial);
    check(partial);
    await settle(partial);
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

function copy(database: string, target: string): void {
  const source = new DatabaseSync(database, { timeout: 5_000, readOnly: true });
  try {
    source.prepare("VACUUM INTO ?").run(target);
  } finally {
    source.close();
  }
}

function check(file: string): void {
  const copied = new DatabaseSync(file, { readOnly: true });
  try {
    const [found] = copied.prepare("PRAGMA quick_check(1)").all();
    const result = found?.["quick_check"];
    if (result !== "ok") throw new Error(`the copy is damaged, as the database may be: ${String(result)}`);
  } finally {
    copied.close();
  }
}

/** Waits until the disk has it. */
async function settle(file: string): Promise<void> {
  await using handle = await open(file, "r+");
  await handle.sync();
}
