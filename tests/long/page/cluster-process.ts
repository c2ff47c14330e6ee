import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";

const program = path.resolve(import.meta.dirname, "../../../scripts/cluster.js");

interface PrintedNode {
  readonly pid: number;
  readonly metricsUrl: string;
}

/** `npm run cluster` in a process of its own. */
export interface ClusterProcess extends AsyncDisposable {
  readonly httpUrl: string;
  readonly folder: string;
  readonly nodes: readonly PrintedNode[];
  /** The lines that it has printed. */
  readonly lines: readonly string[];
  /** Settles when it has printed such a line. */
  untilLine(expected: RegExp): Promise<void>;
  /** Presses Ctrl-C; settles with the exit code. */
  interrupt(): Promise<number | null>;
}

export async function startCluster(): Promise<ClusterProcess> {
  const environment = { ...process.env, PORT: "", OPENAI_API_KEY: "", TROUPE_LOCAL_PROVIDERS: "" };
  const child = spawn(process.execPath, [program], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  const lines: string[] = [];
  const printed = createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const closed = once(printed, "close");

  async function untilLine(expected: RegExp): Promise<void> {
    while (!lines.some((line) => expected.test(line))) {
      const [line] = await Promise.race([once(printed, "line"), closed]);
      if (line === undefined && !lines.some((one) => expected.test(one))) throw new Error(lines.join("\n"));
    }
  }

  async function interrupt(): Promise<number | null> {
    child.kill("SIGINT");
    const [code] = await ended;
    return code;
  }

  await untilLine(/^Ctrl-C/);
  const text = lines.join("\n");
  const find = (pattern: RegExp) => pattern.exec(text)?.[1] ?? "";
  return {
    ...{ lines, untilLine, interrupt },
    httpUrl: find(/page +(http:\S+)\//),
    folder: find(/logs +(\S+)\/\*/),
    nodes: [...text.matchAll(/metrics (http:\S+) +process (\d+)/g)].map(([, metricsUrl = "", pid]) => ({
      metricsUrl,
      pid: Number(pid),
    })),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await interrupt();
    },
  };
}
