import { DatabaseSync, StatementSync } from "node:sqlite";
import { isMainThread } from "node:worker_threads";
import { createDeath, watchSockets } from "./die-at.ts";
import type { FailPoint } from "./fail-points.ts";

/** Loaded into a server's threads: kills the process at the point that `FAIL_AT` describes as JSON, as a crash would. */
const point = JSON.parse(process.env.FAIL_AT ?? "null") as FailPoint | null;
const pass = createDeath(point);

function watchDatabase({ at, statement = "", containing = "" }: FailPoint): void {
  const { exec } = DatabaseSync.prototype;
  const { run } = StatementSync.prototype;
  let ran: { sql: string; value: string }[] = [];
  StatementSync.prototype.run = function (this: StatementSync, ...values: unknown[]) {
    ran.push({ sql: this.sourceSQL, value: String(values.at(-1)) });
    return Reflect.apply(run, this, values);
  } as typeof run;
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
    const version = /PRAGMA user_version = (\d+); COMMIT;$/.exec(sql)?.[1];
    if (at === "migration" && version === statement) {
      exec.call(this, sql.replace(/COMMIT;$/, ""));
      pass("before");
      exec.call(this, "COMMIT");
      pass("after");
      return;
    }
    const fits =
      at === "commit" &&
      sql === "COMMIT" &&
      ran.some((one) => one.sql.includes(statement) && one.value.includes(containing));
    if (sql.startsWith("BEGIN")) ran = [];
    if (fits) pass("before");
    exec.call(this, sql);
    if (fits) pass("after");
  };
}

if (point !== null && isMainThread && point.at === "send") watchSockets(point, pass);
if (point !== null && !isMainThread && point.at !== "send") watchDatabase(point);
