import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { createDataFolder } from "../../crash/data-folder.ts";
import { freePort } from "../../support/free-port.ts";

/** The system's Redis in its own process on a free port, with its default persistence on the disk. */
export interface RedisProcess extends AsyncDisposable {
  readonly url: string;
  /** Answers no command for `ms`, with all connections open. */
  blink(ms: number): Promise<void>;
  /** Kills it as a crash would, and starts it again. */
  crash(): Promise<void>;
  /** Answers nothing from now on, with all connections open. */
  freeze(): void;
  thaw(): void;
  kill(): Promise<void>;
  /** Removes all data, and closes all connections. */
  flush(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

interface RedisOptions {
  /** Needed by every client, and part of the URL. Default: none. */
  readonly password?: string;
}

const program = "redis-server";

/** Whether this machine has a Redis. */
export function hasRedis(): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

/** On CI it must be there. Elsewhere the tests are skipped without it. */
export const withRedis = { skip: !hasRedis() && process.env.CI !== "true" && "no redis-server" };

export async function startRedis({ password }: RedisOptions = {}): Promise<RedisProcess> {
  const place = await createDataFolder();
  const port = await freePort();
  const secret = password === undefined ? [] : ["--requirepass", password];
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", place.folder, ...secret];
  let running = await start(args);
  const login = password === undefined ? "" : `:${encodeURIComponent(password)}@`;

  return {
    url: `redis://${login}127.0.0.1:${port}`,
    async blink(ms) {
      running.child.kill("SIGSTOP");
      await sleep(ms);
      running.child.kill("SIGCONT");
    },
    async crash() {
      await running.kill();
      running = await start(args);
    },
    freeze: () => void running.child.kill("SIGSTOP"),
    thaw: () => void running.child.kill("SIGCONT"),
    kill: () => running.kill(),
    async flush() {
      const client = new Redis(`redis://${login}127.0.0.1:${port}`);
      await client.flushall();
      await client.call("CLIENT", "KILL", "TYPE", "pubsub");
      client.disconnect();
    },
    async start() {
      running = await start(args);
    },
    async [Symbol.asyncDispose]() {
      await running.kill();
      await place[Symbol.asyncDispose]();
    },
  };
}

/** Settles when it takes commands. */
async function start(args: readonly string[]) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  const ready = Promise.withResolvers<void>();
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.includes("Ready to accept connections")) ready.resolve();
  });
  void ended.then(() => ready.reject(new Error(`${program} ended: ${output}`)));
  await ready.promise;
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  return { child, kill };
}
