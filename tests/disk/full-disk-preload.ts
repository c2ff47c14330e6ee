import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/**
 * Loaded into a server's threads: while the file that `FULL_DISK` names exists, SQLite may not take another page (and refuses with
 * its own SQLITE_FULL, as on a disk without room).
 */
const flag = process.env.FULL_DISK ?? "";
const { exec } = DatabaseSync.prototype;
let isFull = false;

DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
  if (sql.startsWith("BEGIN") && existsSync(flag) !== isFull) {
    isFull = !isFull;
    // Pages that are free would be used first; and SQLite raises a limit below what is there to just that.
    if (isFull) this.prepare("PRAGMA incremental_vacuum").all();
    exec.call(this, `PRAGMA max_page_count = ${isFull ? 1 : 4_294_967_294}`);
  }
  exec.call(this, sql);
  if (!isFull || !sql.startsWith("BEGIN")) return;
  try {
    // Little may fit into the room that the last pages have: something that needs a page of its own does not.
    exec.call(this, "CREATE TABLE needs_a_page (column_of_it); DROP TABLE needs_a_page");
  } catch (fault) {
    exec.call(this, "ROLLBACK");
    throw fault;
  }
};
