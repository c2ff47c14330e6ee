import { statSync } from "node:fs";
import { openBeside } from "../../support/open-beside.ts";

export interface DatabaseSize {
  readonly fileBytes: number;
  /**
   * Bytes in use. Leaves out free pages; the journal, whose size depends on the last answers, because it is pruned while
   * later ones are written; and the usage records, which are kept.
   */
  readonly usedBytes: number;
  readonly walBytes: number;
  readonly turnRows: number;
  readonly journalRows: number;
  readonly conversationRows: number;
  readonly messageRows: number;
  readonly usageRows: number;
}

/** Reads the size from a running server's database, over its own connection. */
export function readDatabaseSize(file: string): DatabaseSize {
  const database = openBeside(file, { readOnly: true });
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
