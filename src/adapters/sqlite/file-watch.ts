import { stat } from "node:fs/promises";
import type { Clock } from "../../ports/clock.ts";
import { DatabaseFault, isDamage } from "./storage-faults.ts";
import type { WorkerThread } from "./worker-thread.ts";

export interface FileWatchOptions {
  readonly clock: Clock;
  /** The database, which is open. */
  readonly file: string;
  /** A thread that reads it. */
  readonly reader: Pick<WorkerThread, "call">;
  /** Hears which file is gone or damaged. */
  readonly onLost: (fault: Error) => void;
}

export interface FileWatch extends Disposable {
  /** Rejects with what is wrong with the files. */
  check(): Promise<void>;
}

/** How often the files are looked at. */
const intervalMs = 2_000;
const suffixes = ["", "-wal", "-shm", "-lock"];

/** SQLite's code for a damaged file. */
const corrupt = 11;

/**
 * Looks at the database's files every 2 s. A file that was deleted or replaced while it is open takes everything with it that is
 * written from then on, and SQLite does not notice; without the lock file a second server could open the database.
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
        // It was not needed until now.
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
      // A look that could not be made, because no more files can be opened for example, tells nothing of the database.
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

/** Which file is at this path; `undefined` if there is none. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (fault) {
    if (fault instanceof Error && "code" in fault && fault.code === "ENOENT") return undefined;
    throw fault;
  }
}
