import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../tests/support/free-port.ts";
import { root } from "../repository.ts";
import { type Program, startProgram } from "./program.ts";

interface ClusterNodesOptions {
  readonly count: number;
  /** The temporary folder of the cluster. */
  readonly folder: string;
  /** The environment of all nodes, without their ports, names and folders. */
  readonly environment: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

/** A node of the cluster, whose process may be another one after a while. */
export interface ClusterNode {
  readonly name: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly pid: number;
  readonly logFile: string;
}

interface ClusterNodes {
  readonly all: readonly ClusterNode[];
  /** Stops all in order. */
  stop(): Promise<void>;
}

/** How long a node that has ended stays away, so that its end can be watched. */
const awayMs = 10_000;

/** Starts the nodes. One that ends is started again after a while, as a supervisor would do it. */
export async function startNodes({
  count,
  folder,
  environment,
  say,
}: ClusterNodesOptions): Promise<ClusterNodes> {
  const stopped = new AbortController();

  async function startNode(index: number) {
    const name = `node-${index + 1}`;
    const [port, metricsPort] = [await freePort(), await freePort()];
    const data = join(folder, name);
    await mkdir(data);
    const logFile = join(folder, `${name}.log`);
    const start = () =>
      startProgram({
        command: process.execPath,
        args: [join(root, "bin/troupe.js")],
        environment: {
          ...environment,
          PORT: String(port),
          TROUPE_METRICS_PORT: String(metricsPort),
          TROUPE_NODE_NAME: name,
          TROUPE_DATA: data,
        },
        logFile,
        ready: /listens on ws:/,
      });
    let program = await start();
    const node: ClusterNode = {
      ...{ name, port, metricsPort, logFile },
      get pid() {
        return program.pid;
      },
    };

    async function keep(): Promise<void> {
      for (;;) {
        const how = await program.ended;
        if (stopped.signal.aborted) return;
        say(`${name} ended (${how}); it starts again in ${awayMs / 1_000} s`);
        await sleep(awayMs, undefined, { signal: stopped.signal }).catch(() => undefined);
        if (stopped.signal.aborted) return;
        program = await start();
        if (stopped.signal.aborted) return program.stop("SIGTERM");
        say(`${name} is back as process ${program.pid}`);
      }
    }
    const kept = keep().catch((error: unknown) => say(`${name} does not start again: ${String(error)}`));
    return { node, stop: () => stopNode(program, kept) };
  }

  async function stopNode(program: Program, kept: Promise<void>): Promise<void> {
    await program.stop("SIGTERM");
    await kept;
  }

  const started = await Promise.all(Array.from({ length: count }, (_, index) => startNode(index)));
  return {
    all: started.map(({ node }) => node),
    async stop() {
      stopped.abort();
      await Promise.all(started.map(({ stop }) => stop()));
    },
  };
}
