import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

export interface DatabaseSize {
  readonly fileBytes: number;
  /**
   * Without the pages that hold nothing, and without the journal: how much of that is left depends on the last answers, since it is
   * thrown away while later ones are written.
   */
  readonly usedBytes: number;
  readonly walBytes: number;
  readonly turnRows: number;
  readonly journalRows: number;
  readonly conversationRows: number;
  readonly messageRows: number;
}

/** Looks into the database of a running server, beside it. */
export function readDatabaseSize(file: string): DatabaseSize {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const number = (sql: string) => Number(Object.values(database.prepare(sql).get() ?? {})[0]);
    return {
      fileBytes: number("PRAGMA page_size") * number("PRAGMA page_count"),
      usedBytes: number("SELECT sum(pgsize) FROM dbstat WHERE name <> 'journal'"),
      walBytes: statSync(`${file}-wal`).size,
      turnRows: number("SELECT count(*) FROM turns"),
      journalRows: number("SELECT count(*) FROM journal"),
      conversationRows: number("SELECT count(*) FROM conversations"),
      messageRows: number("SELECT count(*) FROM messages"),
    };
  } finally {
    database.close();
  }
}
