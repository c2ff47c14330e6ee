import { stat } from "node:fs/promises";
import type { Clock } from "../../ports/clock.ts";
import { DatabaseFault, isDamage } from "./database-faults.ts";
import type { WorkerThread } from "./database-threads.ts";

interface FileWatchOptions {
  readonly clock: Clock;
  /** The path of the open database. */
  readonly file: string;
  /** The thread that runs the check of the file's content. */
  readonly reader: Pick<WorkerThread, "call">;
  /** Called with the fault when a file is gone, replaced or damaged. */
  readonly onLost: (fault: Error) => void;
}

interface FileWatch extends Disposable {
  /** Rejects if a file is gone, replaced or damaged. */
  check(): Promise<void>;
}

/** How often the files are checked. */
const intervalMs = 2_000;
const suffixes = ["", "-wal", "-shm", "-lock"];

/** SQLite's code for a damaged file. */
const corrupt = 11;

/**
 * Checks the database's files every 2 s. If a file is deleted or replaced while it is open, everything written from then on is lost, and
 * SQLite does not notice. Without the lock file a second server could open the database.
 */
export async function watchFiles({ clock, file, reader, onLost }: FileWatchOptions): Promise<FileWatch> {
  const opened = new Map<string, string | undefined>();
  for (const suffix of suffixes) opened.set(file + suffix, await identityOf(file + suffix));
  let cancel: () => void = () => undefined;
  let isStopped = false;

  async function check(): Promise<void> {
    for (const [path, identity] of opened) {
      const now = await identityOf(path);
      if (now === identity) continue;
      if (identity === undefined) {
        // SQLite creates some of the files only when it needs them.
        opened.set(path, now);
        continue;
      }
      const how = now === undefined ? "was deleted" : "was replaced";
      throw new DatabaseFault(`${path} ${how} while it is open: put it back or restart the server`, corrupt);
    }
    const { rows } = await reader.call({ type: "check" });
    const [damage] = rows;
    if (damage !== undefined) throw new DatabaseFault(`${file} is damaged: ${damage.damage}`, corrupt);
  }

  async function look(): Promise<void> {
    try {
      await check();
    } catch (fault) {
      // A check that could not run (no more files can be opened, for example) says nothing about the database.
      if (!isStopped && isDamage(fault)) onLost(fault);
    }
    if (!isStopped) cancel = clock.callAfter(intervalMs, look);
  }
  cancel = clock.callAfter(intervalMs, look);

  return {
    check,
    [Symbol.dispose]() {
      isStopped = true;
      cancel();
    },
  };
}

/** The device and inode of the file at this path; `undefined` if there is none. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (fault) {
    if (fault instanceof Error && "code" in fault && fault.code === "ENOENT") return undefined;
    throw fault;
  }
}
