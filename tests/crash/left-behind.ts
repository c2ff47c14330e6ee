import { copyFile, stat } from "node:fs/promises";
import path from "node:path";
import { openBeside } from "../support/open-beside.ts";
import { createDataFolder } from "./data-folder.ts";

/** The state that a killed server left on the disk. */
export interface LeftBehind {
  /** The numbers of the turns without an end in their row or in the journal. Turns that outlast a process are left out. */
  readonly running: readonly number[];
  /** The number of the newest turn; 0 if there is none. */
  readonly newest: number;
  readonly walBytes: number;
}

/** Reads a copy, so that the next server finds everything as the killed one left it. */
export async function lookAtLeftBehind(file: string): Promise<LeftBehind> {
  await using copy = await createDataFolder();
  const walBytes = (await sizeOf(`${file}-wal`)) ?? 0;
  if ((await sizeOf(file)) === undefined) return { running: [], newest: 0, walBytes };
  await copyFile(file, copy.database);
  if (walBytes > 0) await copyFile(`${file}-wal`, path.join(copy.folder, "troupe.db-wal"));
  const database = openBeside(copy.database);
  try {
    const one = (sql: string) => database.prepare(sql).all() as Record<string, number | string | null>[];
    const running = new Set(
      one("SELECT number FROM turns WHERE ended_at_ms IS NULL AND request IS NULL").map((row) =>
        Number(row.number),
      ),
    );
    for (const { entries } of running.size === 0 ? [] : one("SELECT entries FROM journal")) {
      for (const [turn, , events] of JSON.parse(String(entries)) as [number, number, { type: string }[]][])
        if (events.some(({ type }) => type === "answer" || type === "failure")) running.delete(turn);
    }
    const newest = Number(one("SELECT coalesce(max(number), 0) AS newest FROM turns")[0]?.newest);
    return { running: [...running], newest, walBytes };
  } finally {
    database.close();
  }
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
