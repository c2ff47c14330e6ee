import { createHook } from "node:async_hooks";
import fs from "node:fs";
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";

/** A server's work, counted at the calls that leave JavaScript. */
export interface Work {
  /** Pieces that connections to the provider returned, and attempts to read one. */
  upstreamReads: number;
  /** Writes to clients' connections that reached the operating system, with any number of frames each. */
  clientWrites: number;
  commits: number;
  journalRows: number;
  /** Calls of `JSON.parse` by any code in this process. */
  parses: number;
  /** Promises created in this process. */
  promises: number;
}

/** A message to the database's thread. */
interface DatabaseCall {
  readonly call: number;
  readonly type: string;
  readonly writes: readonly (readonly [statement: string])[];
}

const nothing = (): Work => ({
  upstreamReads: 0,
  clientWrites: 0,
  commits: 0,
  journalRows: 0,
  parses: 0,
  promises: 0,
});

/** Counts the work of a server in this process that listens on one port and asks a provider on another. */
export function countWork(ports: { server: number; upstream: number }) {
  let work = nothing();
  using undo = new DisposableStack();

  function spy<Name extends string, Call extends (...args: never[]) => unknown>(
    owner: { [key in Name]: Call },
    name: Name,
    see: (self: unknown, args: Parameters<Call>) => void,
  ): void {
    const original = owner[name];
    const isOwn = Object.hasOwn(owner, name);
    const spied = function (this: unknown, ...args: Parameters<Call>) {
      see(this, args);
      return Reflect.apply(original, this, args);
    };
    Object.assign(owner, { [name]: spied });
    undo.defer(() =>
      isOwn ? Object.assign(owner, { [name]: original }) : Reflect.deleteProperty(owner, name),
    );
  }

  const sockets = Socket.prototype as Socket & { _writeGeneric(...args: unknown[]): unknown };
  spy(sockets, "push", (self, [piece]) => {
    if (piece !== null && (self as Socket).remotePort === ports.upstream) work.upstreamReads += 1;
  });
  spy(fs, "readSync", () => {
    work.upstreamReads += 1;
  });
  spy(sockets, "_writeGeneric", (self) => {
    if ((self as Socket).localPort === ports.server) work.clientWrites += 1;
  });
  const asked = new Set<number>();
  const databases = new Set<Worker>();
  let settle: () => void = () => undefined;
  const onReply = ({ call }: { call: number }) => {
    asked.delete(call);
    if (asked.size === 0) settle();
  };
  spy(Worker.prototype, "postMessage", (self, [message]) => {
    const { call, type, writes } = message as unknown as DatabaseCall;
    const database = self as Worker;
    if (!databases.has(database)) database.on("message", onReply);
    databases.add(database);
    asked.add(call);
    if (type !== "commit") return;
    work.commits += 1;
    work.journalRows += writes.filter(([statement]) => statement === "journal").length;
  });
  spy(JSON, "parse", () => {
    work.parses += 1;
  });
  const hook = createHook({
    init(_, type) {
      if (type === "PROMISE") work.promises += 1;
    },
  }).enable();
  undo.defer(() => hook.disable());
  undo.defer(() => {
    for (const database of databases) database.off("message", onReply);
  });

  const counting = undo.move();

  return {
    /** Settles when the database has answered all calls so far. */
    async settled(): Promise<void> {
      if (asked.size > 0)
        await new Promise<void>((resolve) => {
          settle = resolve;
        });
    },
    /** The counts since the last call of `take`. */
    take(): Work {
      const taken = work;
      work = nothing();
      return taken;
    },
    [Symbol.dispose]: () => counting.dispose(),
  };
}
