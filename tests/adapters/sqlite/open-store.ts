import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createSqliteStore, openServedTime } from "../../../src/adapters/sqlite/sqlite-store.ts";
import {
  createSqliteTurnLogs,
  type SqliteTurnLogOptions,
} from "../../../src/adapters/sqlite/sqlite-turn-logs.ts";
import type { Observer } from "../../../src/ports/observer.ts";
import { createTestClock } from "../../support/test-clock.ts";

/** Fails the test if the storage fails, or a write that no caller waits for. */
export const failing: Observer = {
  storageChanged(change) {
    throw change.state === "failing" ? change.error : new Error(change.state);
  },
  faulted({ error }) {
    throw error;
  },
};

/** A folder for one database, deleted with the test. */
export async function dataFolder() {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-sqlite-"));
  const file = path.join(folder, "troupe.db");
  return {
    file,
    /** Everything in the database's file. The write-ahead log beside it is not read. */
    bytes: () => readFile(file, "latin1"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** A new database, deleted with the test. Its storage may fail only if an observer is given. */
export async function openStore(observer: Observer = failing) {
  const place = await dataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  const store = await createSqliteStore({
    clock,
    file: place.file,
    synchronous: "NORMAL",
    observer,
  });
  return {
    store,
    clock,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

/** The logs of a new database, deleted with the test. */
export async function openLogs(options: Partial<SqliteTurnLogOptions> = {}) {
  const opened = await openStore();
  const { store } = opened;
  const { clock = opened.clock } = options;
  const defaults = {
    ...{ store, clock, served: await openServedTime(store, clock) },
    ...{ retentionMs: 60_000, answerRetentionMs: 0, maxBytes: 1_000_000 },
  };
  const logs = await createSqliteTurnLogs({ ...defaults, ...options });
  return {
    ...{ logs, store, clock },
    async [Symbol.asyncDispose]() {
      logs[Symbol.dispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}
