import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/**
 * Loaded into a server's threads. While the file that `FULL_DISK` names exists, SQLite may not take another page, and
 * refuses with its own SQLITE_FULL, as on a full disk.
 */
const flag = process.env.FULL_DISK ?? "";
const { exec } = DatabaseSync.prototype;
let isFull = false;

DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
  if (sql.startsWith("BEGIN") && existsSync(flag) !== isFull) {
    isFull = !isFull;
    // SQLite would use free pages first, so they are removed. It raises a limit below the present size to that size.
    if (isFull) this.prepare("PRAGMA incremental_vacuum").all();
    exec.call(this, `PRAGMA max_page_count = ${isFull ? 1 : 4_294_967_294}`);
  }
  exec.call(this, sql);
  if (!isFull || !sql.startsWith("BEGIN")) return;
  try {
    // A small write may still fit into the last pages. A write that needs a page of its own does not.
    exec.call(this, "CREATE TABLE needs_a_page (column_of_it); DROP TABLE needs_a_page");
  } catch (fault) {
    exec.call(this, "ROLLBACK");
    throw fault;
  }
};
