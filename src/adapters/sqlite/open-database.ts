import { DatabaseSync } from "node:sqlite";
import { checkAtStart } from "./check-tables.ts";
import { compactLog } from "./compact-log.ts";
import { migrate } from "./migrations.ts";

/** The data with which a database thread starts. */
export interface WorkerOptions {
  readonly file: string;
  /** `NORMAL` survives a crash of the process, `FULL` a crash of the machine as well (SQLite, PRAGMA synchronous, in WAL mode). */
  readonly synchronous: "NORMAL" | "FULL";
  /** There is one writer, and it opens the database before the reader. */
  readonly role: "writer" | "reader";
  /** For the reader: the damages that the writer found. */
  readonly damages?: readonly string[];
}

/** SQLite restarts the write-ahead log at 1,000 pages, unless a reader still uses an older state of the file. */
const maxIdleWalBytes = 4 * 1024 ** 2;

/**
 * Takes the lock, which the system frees when this process is gone, however it ends. A second server on the same file would take the first
 * one's turns for abandoned, end them and overwrite its beats. Throws if another server has the lock.
 */
export function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(`${file}-lock`, { timeout: 1_000 });
  try {
    // It needs no journal file: nothing is ever written.
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    throw new Error(`${file} is in use by another Troupe`, { cause });
  }
  return lock;
}

/** Opens the connection that writes; creates and migrates the database. `damages` has a sentence for each damaged part. */
export function openWriter({ file, synchronous }: Pick<WorkerOptions, "file" | "synchronous">): {
  readonly database: DatabaseSync;
  readonly damages: readonly string[];
} {
  const database = new DatabaseSync(file, {
    timeout: 5_000,
    enableForeignKeyConstraints: true,
    // Emptying an earlier version's search index in parts writes to the tables beneath that index.
    defensive: false,
  });
  database.exec(
    `-- Only a new file takes this: pages that it needs no more can be given back to the system.
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA trusted_schema = OFF;
    -- Deleted content is overwritten, not only unlinked.
    PRAGMA secure_delete = ON;
    -- The write-ahead log shrinks back to this size after it had to grow. Temporary tables stay in memory: no temporary file can fail to
    -- open.
    PRAGMA journal_size_limit = ${maxIdleWalBytes}; PRAGMA temp_store = MEMORY;`,
  );
  const damages = checkAtStart(database, file);
  migrate(database);
  database.function(
    "compacted",
    { deterministic: true },
    (log, afterSeq) => compactLog(String(log), Number(afterSeq)) ?? null,
  );
  database.function("without_turns", { deterministic: true }, (entries, turns) =>
    withoutTurns(String(entries), String(turns)),
  );
  database.function("holds_turns", { deterministic: true }, (entries, turns) =>
    Number(holdsTurns(String(entries), String(turns))),
  );
  return { database, damages };
}

/** Opens a connection that only reads, beside the one that writes: neither waits for the other. */
export function openReader(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5_000, readOnly: true });
  database.exec("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;");
  return database;
}

/** Whether a row of the journal has entries of one of these turns (a JSON array of their numbers). */
function holdsTurns(entries: string, turns: string): boolean {
  return listIn(turns).some((turn) => entries.includes(`[${String(turn)},`));
}

/**
 * Removes the entries of these turns from a row. It keeps the entries of other turns, which may still be needed. Unreadable entries go as
 * well, because the text to delete may be in them.
 */
function withoutTurns(entries: string, turns: string): string {
  const gone = new Set(listIn(turns));
  return JSON.stringify(listIn(entries).filter((entry) => Array.isArray(entry) && !gone.has(entry[0])));
}

/** The items of a JSON array; none if the text is no such array. */
function listIn(text: string): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}
