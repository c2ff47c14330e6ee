import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { runOn } from "./open-store.ts";
import { programOf } from "./postgres-server.ts";

/** A `pg_dump` that stands still with its locks and its snapshot. */
interface HeldDump extends AsyncDisposable {
  /** Lets it go on. Settles when it has ended well. */
  finish(): Promise<void>;
}

const heldLocks = `SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
  WHERE application_name = 'pg_dump' AND relation = 'events'::regclass`;

export async function startHeldDump(databaseUrl: string): Promise<HeldDump> {
  const child = spawn(programOf("pg_dump"), [databaseUrl], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "close");
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  while (child.exitCode === null && Number((await runOn(databaseUrl, heldLocks))[0]?.count) === 0)
    await sleep(5);
  child.kill("SIGSTOP");
  return {
    async finish() {
      child.kill("SIGCONT");
      await ended;
      assert.equal(child.exitCode, 0, errors);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
