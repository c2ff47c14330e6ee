import { Socket } from "node:net";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { isMainThread } from "node:worker_threads";
import type { FailPoint } from "./fail-points.ts";

/** Loaded into a server's threads: kills the process at the point that `FAIL_AT` describes as JSON, as a crash would. */
const point = JSON.parse(process.env.FAIL_AT ?? "null") as FailPoint | null;
let seen = 0;

/** Called before and after each matching operation. Kills the process if this is the chosen one. */
function pass(when: FailPoint["when"]): void {
  if (point?.when !== when) return;
  seen += 1;
  if (seen < point.nth) return;
  process.kill(process.pid, "SIGKILL");
  // Stops this thread until the system has ended the process.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

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

/** The first byte of a text frame (RFC 6455, section 5.2): final, and text. */
const textFrame = 0x81;

function watchSockets({ containing = "" }: FailPoint): void {
  const { write } = Socket.prototype as unknown as {
    write(this: Socket, bytes: unknown, sent?: Sent): boolean;
  };
  Object.assign(Socket.prototype, {
    write(this: Socket, ...args: [bytes: unknown, sent?: Sent]) {
      const [bytes, sent] = args;
      const fits = Buffer.isBuffer(bytes) && bytes[0] === textFrame && bytes.includes(containing);
      if (!fits) return Reflect.apply(write, this, args);
      pass("before");
      return write.call(this, bytes, (error) => {
        pass("after");
        sent?.(error);
      });
    },
  });
}

type Sent = (error?: Error) => void;

if (point !== null && isMainThread && point.at === "send") watchSockets(point);
if (point !== null && !isMainThread && point.at !== "send") watchDatabase(point);
