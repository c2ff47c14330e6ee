import type { StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { createRunningCheck } from "./check-tables.ts";
import type { Reply } from "./database-threads.ts";
import { openReader, openWriter, takeLock, type WorkerOptions } from "./open-database.ts";
import { type SlicedJob, startJob } from "./sliced-jobs.ts";
import {
  type Row,
  type StatementName,
  statements,
  type Value,
  type WorkerReply,
  type WorkerRequest,
  type Write,
} from "./statements.ts";

/** How long a slice of a job runs, milliseconds; the last step may exceed it. */
const sliceMs = 8;

/** Serves the database in a thread of its own, so that a slow disk delays answers and never the event loop. */
function serve(port: NonNullable<typeof parentPort>, options: WorkerOptions): void {
  const { file, role } = options;
  const lock = role === "writer" ? takeLock(file) : undefined;
  const opened = lock === undefined ? { database: openReader(file), damages: [] } : openWriter(options);
  const { database } = opened;
  const damageNow = createRunningCheck(file, options.damages ?? []);
  const prepared = new Map<StatementName, StatementSync>();
  const jobs = new Map<number, SlicedJob>();
  const reply = (message: WorkerReply) => port.postMessage(message);

  function statement(name: StatementName): StatementSync {
    const known = prepared.get(name) ?? database.prepare(statements[name]);
    prepared.set(name, known);
    return known;
  }

  function read(name: StatementName, ...values: readonly Value[]): readonly Row[] {
    return statement(name).all(...values) as Row[];
  }

  function commit(writes: readonly Write[]): void {
    // An earlier commit failed, and so did its rollback.
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

  /** Runs a job for one slice. Returns its number while there is more to do. */
  function goOn(id: number, job: SlicedJob): { rows: readonly Row[]; job?: number } {
    const endsAtMs = performance.now() + sliceMs;
    jobs.delete(id);
    while (performance.now() < endsAtMs) if (job.steps.next().done === true) return { rows: job.rows };
    jobs.set(id, job);
    return { rows: [], job: id };
  }

  function handle(request: WorkerRequest): Reply {
    switch (request.type) {
      case "commit":
        commit(request.writes);
        return { rows: [] };
      case "read":
        return { rows: [], found: request.reads.map(([name, ...values]) => read(name, ...values)) };
      case "job":
        return goOn(request.call, startJob(read, request.name, request.values));
      case "goOn":
      case "stop": {
        const job = jobs.get(request.job);
        if (job !== undefined && request.type === "goOn") return goOn(request.job, job);
        jobs.delete(request.job);
        return { rows: job?.rows ?? [] };
      }
      case "check": {
        const damage = damageNow();
        return { rows: damage === undefined ? [] : [{ damage }] };
      }
      case "close":
        database.close();
        lock?.close();
        return { rows: [] };
    }
  }

  port.on("message", (request: WorkerRequest) => {
    const { call } = request;
    try {
      reply({ type: "done", call, ...handle(request) });
    } catch (error) {
      reply({ type: "error", call, ...describe(error) });
    }
    if (request.type === "close") port.close();
  });
  reply({ type: "ready", damages: opened.damages });
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
    // This line is all that the operator sees.
    const line = message.includes(options.file) ? message : `${options.file} cannot be used: ${message}`;
    parentPort.postMessage({ type: "error", name, message: line } satisfies WorkerReply);
    parentPort.close();
  }
}
