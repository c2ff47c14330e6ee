import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createDataFolder } from "../../crash/data-folder.ts";
import { freePort } from "../../support/free-port.ts";

/** The system's Redis in its own process on a free port, with its default persistence on the disk. */
export interface RedisProcess extends AsyncDisposable {
  readonly url: string;
  /** Answers no command for `ms`, with all connections open. */
  blink(ms: number): Promise<void>;
  /** Kills it as a crash would, and starts it again. */
  crash(): Promise<void>;
}

const program = "redis-server";

/** Whether this machine has a Redis. */
export function hasRedis(): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

export async function startRedis(): Promise<RedisProcess> {
  const place = await createDataFolder();
  const port = await freePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", place.folder];
  let running = await start(args);

  return {
    url: `redis://127.0.0.1:${port}`,
    async blink(ms) {
      running.child.kill("SIGSTOP");
      await sleep(ms);
      running.child.kill("SIGCONT");
    },
    async crash() {
      await running.kill();
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
