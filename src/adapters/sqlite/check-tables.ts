import { DatabaseSync } from "node:sqlite";
import { isFailedLook } from "./database-faults.ts";
import { createSearchIndex } from "./search-index-schema.ts";

/** Tables without which no turn can be run or taken up. */
const essential = ["turns", "journal", "counters", "usage", "usage_days", "keys"];
const conversations = ["conversations", "messages"];
const searchIndex = ["word_blocks", "block_messages"];
/** Only the essential tables of a larger file are checked at the start: 128 MB take about a second from a slow disk. */
const maxBytesToCheck = 128 * 1024 ** 2;
/** Maximum time of checking one table while the server runs, milliseconds. A table that takes longer is not checked again. */
const lookMs = 20;
/** One check goes on to further tables for this time, milliseconds; the next check continues behind them. */
const sliceMs = 2;

/** Describes the damage to the pages of a table and its indexes; `undefined` if there is none. The time grows with the table's size. */
function damageOf(database: DatabaseSync, table: string): string | undefined {
  try {
    const [row] = database.prepare(`PRAGMA quick_check('${table}')`).all();
    const found = String(row?.quick_check);
    return found === "ok" ? undefined : found.replace(/\s+/g, " ");
  } catch (fault) {
    if (isFailedLook(fault)) throw fault;
    return fault instanceof Error ? fault.message : String(fault);
  }
}

function tablesOf(database: DatabaseSync): Set<unknown> {
  const rows = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  return new Set(rows.map(({ name }) => name));
}

/**
 * Checks the database before it is used. Throws if it cannot be used; otherwise returns a sentence for each lost part. A damaged search
 * index is set aside and made again; damaged conversations are served as far as they can be read.
 */
export function checkAtStart(database: DatabaseSync, file: string): string[] {
  const present = tablesOf(database);
  const size = database
    .prepare("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")
    .get();
  const isSmall = Number(size?.bytes) <= maxBytesToCheck;
  const damages = new Map<string, string>();
  for (const table of isSmall ? [...essential, ...conversations, ...searchIndex] : essential) {
    const damage = present.has(table) ? damageOf(database, table) : undefined;
    if (damage !== undefined) damages.set(table, damage);
  }
  const tell = (table: string) => `the table ${table} of ${file} is damaged (${damages.get(table)})`;
  const lost = essential.find((table) => damages.has(table));
  if (lost !== undefined)
    throw new Error(`${tell(lost)}: put back a copy of the file, or move it away to start without it`);
  const told = conversations
    .filter((table) => damages.has(table))
    .map((table) => `${tell(table)}: unreadable parts of the conversations are lost`);
  const broken = searchIndex.filter((table) => damages.has(table));
  if (broken.length > 0) {
    setIndexAside(database, damages.has("messages"));
    told.push(`${tell(broken[0] ?? "")}: the search index is made again; its damaged pages stay in the file`);
  }
  return told;
}

/** Renames the damaged index and creates an empty one, because dropping a damaged table would fail on its damaged page. */
function setIndexAside(database: DatabaseSync, isEmpty: boolean): void {
  const name = `damaged_${database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.n}`;
  const toIndex = isEmpty ? "0" : "(SELECT coalesce(max(number), 0) FROM messages)";
  database.exec(`BEGIN IMMEDIATE;
    DROP TRIGGER message_added; DROP TRIGGER message_removed;
    ALTER TABLE word_blocks RENAME TO ${name}_word_blocks;
    ALTER TABLE block_messages RENAME TO ${name}_block_messages;
    ${createSearchIndex(`_after_${name}`)}
    UPDATE counters SET value = ${toIndex} WHERE name = 'to_index';
    COMMIT;`);
}

/**
 * Checks a running server's file on the disk, a few tables per call. A table whose check takes over 20 ms is not checked again. Tables
 * that were damaged at the start are left out.
 */
export function createRunningCheck(
  file: string,
  damagedAtStart: readonly string[],
): () => string | undefined {
  const waiting = [...essential, ...conversations, ...searchIndex].filter(
    (table) => !damagedAtStart.some((told) => told.includes(`table ${table} `)),
  );

  return () => {
    // A new connection has no cached pages, so it reads the disk.
    const database = new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
    try {
      const startedAtMs = performance.now();
      for (let left = waiting.length; left > 0; left -= 1) {
        const [table] = waiting;
        if (table === undefined) return undefined;
        const tableStartedAtMs = performance.now();
        const damage = damageOf(database, table);
        const nowMs = performance.now();
        if (damage !== undefined) return `table ${table}: ${damage}`;
        waiting.shift();
        if (nowMs - tableStartedAtMs <= lookMs) waiting.push(table);
        if (nowMs - startedAtMs > sliceMs) return undefined;
      }
      return undefined;
    } finally {
      database.close();
    }
  };
}
