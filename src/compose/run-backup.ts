import path from "node:path";
import { backUpDatabase } from "../adapters/sqlite/backup.ts";
import { SettingError, type Settings } from "./settings.ts";

/** Copies the database of these settings to `file`, and says so. Rejects with a `SettingError`, and as `backUpDatabase` does. */
export async function runBackup(
  file: string | undefined,
  { databaseUrl, store, data }: Settings,
  say: (line: string) => void,
): Promise<void> {
  if (file === undefined) throw new SettingError("backup: name the file, as in troupe backup troupe-copy.db");
  if (databaseUrl !== undefined)
    throw new SettingError("backup: TROUPE_DATABASE_URL names a PostgreSQL database; copy it with pg_dump");
  if (store === "memory") throw new SettingError("backup: TROUPE_STORE=memory has no database");
  await backUpDatabase(path.join(data, "troupe.db"), file);
  say(`Copied the database to ${path.resolve(file)}\n`);
}
