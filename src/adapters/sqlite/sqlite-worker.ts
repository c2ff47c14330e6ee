import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { excerptOf } from "../../ports/search-terms.ts";
import { compactLog } from "./compacted-log.ts";
import { migrate } from "./migrations.ts";
import {
  type Row,
  type StatementName,
  statements,
  type WorkerReply,
  type WorkerRequest,
  type Write,
} from "./statements.ts";

/** What the worker is started with. */
export interface WorkerOptions {
  readonly file: string;
  /** `NORMAL` survives a crash of the process, `FULL` a crash of the machine as well (SQLite, PRAGMA synchronous, in WAL mode). */
  readonly synchronous: "NORMAL" | "FULL";
}

/** SQLite begins the log anew when it has 1,000 pages, unless somebody reads an older state of the file meanwhile. */
const mostIdleWalBytes = 4 * 1024 ** 2;

/** A thread of its own, so that a slow disk makes the answers wait and never the event loop. */
function serve(port: NonNullable<typeof parentPort>, { file, synchronous }: WorkerOptions): void {
  const lock = takeLock(file);
  const database = open(file, synchronous);
  const prepared = new Map<StatementName, StatementSync>();
  const reply = (message: WorkerReply) => port.postMessage(message);

  function statement(name: StatementName): StatementSync {
    const known = prepared.get(name) ?? database.prepare(statements[name]);
    prepared.set(name, known);
    return known;
  }

  function commit(writes: readonly Write[]): void {
    // Left open by a commit that could not even be undone.
    if (database.isTransaction) database.exec("ROLLBACK");
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const [name, ...values] of writes) statement(name).run(...values);
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }

  function handle(request: WorkerRequest): readonly Row[] {
    switch (request.type) {
      case "commit":
        commit(request.writes);
        return [];
      case "read":
        return statement(request.name).all(...request.values) as Row[];
      case "close":
        database.close();
        lock.close();
        return [];
    }
  }

  port.on("message", (request: WorkerRequest) => {
    const { call } = request;
    try {
      reply({ type: "done", call, rows: handle(request) });
    } catch (error) {
      reply({ type: "error", call, ...describe(error) });
    }
    if (request.type === "close") port.close();
  });
  reply({ type: "ready" });
}

/**
 * Held until this process is gone, however it goes, since the system frees it: a second server on the same file would take the
 * turns of the first for left behind, end them and write over its beats.
 */
function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(`${file}-lock`, { timeout: 1_000 });
  try {
    // No journal beside it: nothing is ever written.
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    throw new Error(`${file} is in use by another Troupe`, { cause });
  }
  return lock;
}

function open(file: string, synchronous: WorkerOptions["synchronous"]): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5_000, enableForeignKeyConstraints: true });
  database.exec(
    `-- Only a new file takes this: pages that it needs no more can be given back to the system.
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA trusted_schema = OFF;
    -- What was deleted is written over, not only given up.
    PRAGMA secure_delete = ON;
    -- The write-ahead log goes back to this after it had to grow; nothing is put beside it that could not be opened or written.
    PRAGMA journal_size_limit = ${mostIdleWalBytes}; PRAGMA temp_store = MEMORY;`,
  );
  migrate(database);
  // Here, so that no long text travels to the other side for the few words that are shown of it.
  database.function("excerpt", { deterministic: true }, (text, query) =>
    excerptOf(String(text), String(query)),
  );
  database.function("compacted", { deterministic: true }, (log) => compactLog(String(log)));
  return database;
}

function describe(error: unknown): { name: string; message: string; errcode?: number } {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  return "errcode" in error ? { name, message, errcode: Number(error.errcode) } : { name, message };
}

if (parentPort !== null) {
  const options = workerData as WorkerOptions;
  try {
    serve(parentPort, options);
  } catch (error) {
    const { name, message } = describe(error);
    // It is all that whoever started the server reads.
    const line = message.includes(options.file) ? message : `${options.file} cannot be used: ${message}`;
    parentPort.postMessage({ type: "error", name, message: line } satisfies WorkerReply);
    parentPort.close();
  }
}
