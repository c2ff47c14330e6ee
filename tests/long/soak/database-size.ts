import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

export interface DatabaseSize {
  readonly fileBytes: number;
  /**
   * Without the pages that hold nothing; without the journal, of which the last answers decide how much is left, since it is thrown
   * away while later ones are written; and without the account of what was used, which is kept.
   */
  readonly usedBytes: number;
  readonly walBytes: number;
  readonly turnRows: number;
  readonly journalRows: number;
  readonly conversationRows: number;
  readonly messageRows: number;
  readonly usageRows: number;
}

/** Looks into the database of a running server, beside it. */
export function readDatabaseSize(file: string): DatabaseSize {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const number = (sql: string) => Number(Object.values(database.prepare(sql).get() ?? {})[0]);
    return {
      fileBytes: number("PRAGMA page_size") * number("PRAGMA page_count"),
      usedBytes: number("SELECT sum(pgsize) FROM dbstat WHERE name <> 'journal' AND name NOT LIKE '%usage%'"),
      walBytes: statSync(`${file}-wal`).size,
      turnRows: number("SELECT count(*) FROM turns"),
      journalRows: number("SELECT count(*) FROM journal"),
      conversationRows: number("SELECT count(*) FROM conversations"),
      messageRows: number("SELECT count(*) FROM messages"),
      usageRows: number("SELECT count(*) FROM usage"),
    };
  } finally {
    database.close();
  }
}
