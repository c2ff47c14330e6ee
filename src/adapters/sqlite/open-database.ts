import { DatabaseSync } from "node:sqlite";
import { checkAtStart } from "./check-tables.ts";
import { compactLog } from "./compacted-log.ts";
import { holdsTurns, withoutTurns } from "./journal-row.ts";
import { migrate } from "./migrations.ts";

/** What the worker is started with. */
export interface WorkerOptions {
  readonly file: string;
  /** `NORMAL` survives a crash of the process, `FULL` a crash of the machine as well (SQLite, PRAGMA synchronous, in WAL mode). */
  readonly synchronous: "NORMAL" | "FULL";
  /** There is one that writes, and it is there before one that reads. */
  readonly role: "writer" | "reader";
  /** What the writer found damaged, for the reader. */
  readonly damages?: readonly string[];
}

/** SQLite begins the log anew when it has 1,000 pages, unless somebody reads an older state of the file meanwhile. */
const mostIdleWalBytes = 4 * 1024 ** 2;

/**
 * Held until this process is gone, however it goes, since the system frees it: a second server on the same file would take the
 * turns of the first for left behind, end them and write over its beats.
 */
export function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(`${file}-lock`, { timeout: 1_000 });
  try {
    // No journal beside it: nothing is ever written.
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    throw new Error(`${file} is in use by another Troupe`, { cause });
  }
  return lock;
}

/** The connection that writes, and a sentence for each part that is damaged. Creates and migrates the database. */
export function openWriter({ file, synchronous }: Pick<WorkerOptions, "file" | "synchronous">): {
  readonly database: DatabaseSync;
  readonly damages: readonly string[];
} {
  const database = new DatabaseSync(file, {
    timeout: 5_000,
    enableForeignKeyConstraints: true,
    // The search index of earlier versions is emptied by parts, which is done to the tables below it.
    defensive: false,
  });
  database.exec(
    `-- Only a new file takes this: pages that it needs no more can be given back to the system.
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA trusted_schema = OFF;
    -- What was deleted is written over, not only given up.
    PRAGMA secure_delete = ON;
    -- The write-ahead log goes back to this after it had to grow; nothing is put beside it that could not be opened or written.
    PRAGMA journal_size_limit = ${mostIdleWalBytes}; PRAGMA temp_store = MEMORY;`,
  );
  const damages = checkAtStart(database, file);
  migrate(database);
  database.function("compacted", { deterministic: true }, (log, afterSeq) =>
    compactLog(String(log), Number(afterSeq)),
  );
  database.function("without_turns", { deterministic: true }, (entries, turns) =>
    withoutTurns(String(entries), String(turns)),
  );
  database.function("holds_turns", { deterministic: true }, (entries, turns) =>
    Number(holdsTurns(String(entries), String(turns))),
  );
  return { database, damages };
}

/** A connection that only reads, beside the one that writes: neither waits for the other. */
export function openReader(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5_000, readOnly: true });
  database.exec("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;");
  return database;
}
