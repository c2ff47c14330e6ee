import { Worker } from "node:worker_threads";

/** A message to a thread of the database. */
interface DatabaseCall {
  readonly type: string;
  readonly name?: string;
  readonly writes?: readonly (readonly [statement: string])[];
}

/** Notes every message that is sent to the threads of a database, until it is disposed of. */
export function countTrips() {
  const post = Worker.prototype.postMessage;
  let trips: string[] = [];
  Worker.prototype.postMessage = function (this: Worker, ...args: Parameters<typeof post>) {
    const { type, name = "", writes = [] } = args[0] as DatabaseCall;
    const statements = writes.map(([statement]) => statement);
    // Tidying up after earlier turns takes its time from no request.
    const isTidying = statements.length > 0 && statements.every((statement) => statement === "pruneJournal");
    if (!isTidying) trips.push([type, name, ...statements].filter(Boolean).join(" "));
    return Reflect.apply(post, this, args);
  };
  return {
    /** The trips since the last call of `take`, each with the names of its statements. */
    take(): readonly string[] {
      const taken = trips;
      trips = [];
      return taken;
    },
    [Symbol.dispose]() {
      Worker.prototype.postMessage = post;
    },
  };
}
