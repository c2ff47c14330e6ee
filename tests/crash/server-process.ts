import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import path from "node:path";

const troupe = path.resolve(import.meta.dirname, "../../bin/troupe.js");

/** The real server in its own process, started again and again on the same port and the same data. */
export interface ServerProcess {
  /** The number of its starts. */
  readonly life: number;
  /** `undefined` until it has first listened. */
  readonly url: string | undefined;
  /** Starts it, with more variables in the environment of this life; does not wait. */
  start(variables?: Readonly<Record<string, string>>): void;
  /** Settles with the milliseconds from start to listening; rejects if the process ends before it listens. */
  listening(): Promise<number>;
  /** Settles when this life is over, for any reason. */
  ended(): Promise<void>;
  /** Kills it as a crash would; settles when the process has ended. */
  kill(): Promise<void>;
  /** Its process id; 0 before its first start. */
  readonly pid: number;
  /** The ids of the serving processes, if there are several. */
  workers(): Promise<readonly number[]>;
  /** Stops it in order; settles with the exit code. */
  stop(): Promise<number | null>;
  /** Resident memory of the process, as Linux reports it. */
  rssBytes(): Promise<number>;
  /** Whole lines of the log, which contains only errors. */
  readonly faults: readonly string[];
}

export interface ServerProcessOptions {
  /** The server's whole environment except `PORT`. The first start takes a free port, and later starts keep it. */
  readonly environment: Readonly<Record<string, string>>;
  /** The file to run, which must print where it `listens on`. Default: Troupe itself. */
  readonly program?: string;
  /** A module that every thread of the server loads before its own code, to simulate faults of the machine. */
  readonly preload?: string;
}

/** The variables with which Troupe keeps its data in this folder and asks this upstream. */
export function troupeEnvironment({ data, upstreamUrl }: { data: string; upstreamUrl: string }) {
  return {
    TROUPE_DATA: data,
    OPENAI_API_KEY: "test-key",
    OPENAI_BASE_URL: upstreamUrl,
    LOG_LEVEL: "error",
  };
}

export function createServerProcess({
  environment,
  program = troupe,
  preload,
}: ServerProcessOptions): ServerProcess {
  const faults: string[] = [];
  const preloading = preload === undefined ? [] : ["--import", preload];
  let life = 0;
  let port = 0;
  let child: ChildProcess | undefined;
  let ended: Promise<number | null> = Promise.resolve(null);
  let listening = Promise.withResolvers<number>();
  // A test that is aborted leaves no server running.
  const killAtExit = () => child?.kill("SIGKILL");

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    child?.kill(signal);
    return ended;
  }

  return {
    get life() {
      return life;
    },
    get url() {
      return port === 0 ? undefined : `ws://127.0.0.1:${port}/ws`;
    },
    faults,
    start(variables = {}) {
      life += 1;
      const startedAtMs = performance.now();
      const ready = Promise.withResolvers<number>();
      listening = ready;
      // A test that only kills the server does not wait for `ready`.
      ready.promise.catch(() => undefined);
      const started = spawn(process.execPath, [...preloading, program], {
        env: { PORT: String(port), ...environment, ...variables },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      let errors = "";
      started.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        const found = /listens on ws:\/\/[^:]+:(\d+)/.exec(output)?.[1];
        if (found === undefined) return;
        port = Number(found);
        ready.resolve(performance.now() - startedAtMs);
      });
      started.stderr.setEncoding("utf8").on("data", (text: string) => {
        errors += text;
        const lines = errors.split("\n");
        errors = lines.pop() ?? "";
        faults.push(...lines);
      });
      child = started;
      process.once("exit", killAtExit);
      ended = once(started, "close").then(([code, signal]) => {
        process.off("exit", killAtExit);
        const how = faults.at(-1) ?? `silently, ${String(signal ?? code)}`;
        ready.reject(new Error(`the server ended before it listened: ${how}`));
        return code as number | null;
      });
    },
    listening: () => listening.promise,
    async ended() {
      await ended;
    },
    async kill() {
      await end("SIGKILL");
    },
    get pid() {
      return child?.pid ?? 0;
    },
    async workers() {
      const { pid } = child ?? {};
      const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
      return children.trim().split(" ").filter(Boolean).map(Number);
    },
    stop: () => end("SIGTERM"),
    async rssBytes() {
      const status = await readFile(`/proc/${child?.pid}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
    },
  };
}
