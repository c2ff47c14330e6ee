import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync } from "node:fs";
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { freePort } from "../../support/free-port.ts";

/** Debian keeps the programs of each version in a folder of its own; the newest is used. */
const programs = globSync("/usr/lib/postgresql/*/bin/initdb")
  .map((file) => path.dirname(file))
  .sort((one, other) => versionOf(other) - versionOf(one))[0];

/** The path of a program of PostgreSQL. */
export function programOf(name: string): string {
  assert.ok(programs !== undefined, "no PostgreSQL in /usr/lib/postgresql");
  return path.join(programs, name);
}

function versionOf(folder: string): number {
  return Number(path.basename(path.dirname(folder)));
}

/** Whether this machine has a PostgreSQL. */
export const hasPostgres = programs !== undefined;

/** On CI it must be there. Elsewhere the tests are skipped without it. */
export const withPostgres = {
  skip: !hasPostgres && process.env.CI !== "true" && "no PostgreSQL in /usr/lib/postgresql",
};

/** How a server ends: in order, at once with all its processes, or by a kill of its first process alone. */
type Ending = "fast" | "immediate" | "kill";
const signals = { fast: "SIGINT", immediate: "SIGQUIT", kill: "SIGKILL" } as const;
/** How a server refuses to start while processes of a killed one are still there. */
const leftProcesses = "is still in use";

/** A PostgreSQL server of its own, in a temporary folder. */
export interface PostgresServer extends AsyncDisposable {
  /** Creates a database, empty or as a copy of another that nothing is connected to, and returns its URL. */
  createDatabase(copyOf?: string): Promise<string>;
  /** Stops it, by default as a crash would, and starts it again on the same port. */
  restart(how?: Ending): Promise<void>;
  stop(how: Ending): Promise<void>;
  /** Starts it again after `stop`, with these variables beside those of every start. */
  start(environment?: Readonly<Record<string, string>>): Promise<void>;
  /** The address of its database `postgres`. */
  readonly url: string;
  /** Where it keeps its files, which belong to its user. */
  readonly folder: string;
  /** Its first process, whose children are all others. */
  readonly pid: number;
}

/** Settings of a server that need not survive a crash of the machine. */
const settings = [
  "listen_addresses = '127.0.0.1'",
  "max_connections = 200",
  "autovacuum_naptime = 5s",
  "logging_collector = off",
];

/** PostgreSQL refuses to run as root, so root runs it as the user that Debian's package makes. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (kind: "-u" | "-g") => {
    const { status, stdout } = spawnSync("id", [kind, "postgres"], { encoding: "utf8" });
    assert.equal(status, 0, "no user postgres");
    return Number(stdout);
  };
  return { uid: idOf("-u"), gid: idOf("-g") };
}

interface PostgresOptions {
  /** The folder in which it makes its own. Default: the system's for temporary files. */
  readonly within?: string;
  /** Whether a signal of the terminal does not reach it. Default false. */
  readonly detached?: boolean;
  /** Whether a commit waits for the disk. Default false. */
  readonly isSynced?: boolean;
  /** A command that runs it, such as `taskset -c 0`. Default: none. */
  readonly runner?: readonly string[];
  /** Variables beside those of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The URL of a primary that it follows as a standby, until it is promoted. Default: none, it is empty. */
  readonly standbyOf?: string;
}

export async function startPostgres({
  within = tmpdir(),
  detached = false,
  isSynced = false,
  runner = [],
  environment = {},
  standbyOf,
}: PostgresOptions = {}): Promise<PostgresServer> {
  const user = unprivileged();
  const folder = await mkdtemp(path.join(within, "troupe-postgres-"));
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
  const data = path.join(folder, "data");
  const port = await freePort();
  const run = (name: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(programOf(name), args, { ...user, cwd: folder, encoding: "utf8" });
    assert.equal(status, 0, `${name}: ${stderr}`);
  };
  if (standbyOf === undefined)
    run("initdb", "-D", data, "-U", "troupe", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync");
  else run("pg_basebackup", "-D", data, "-d", standbyOf, "-R", "--checkpoint=fast", "--no-sync");
  await writeFile(
    path.join(data, "postgresql.conf"),
    [
      ...settings,
      `fsync = ${isSynced ? "on" : "off"}`,
      `port = ${port}`,
      `unix_socket_directories = '${folder}'`,
    ].join("\n"),
  );

  const urlOf = (database: string) => `postgres://troupe@127.0.0.1:${port}/${database}`;
  let databases = 0;
  let child: ReturnType<typeof spawn> | undefined;

  async function startOnce(more: Readonly<Record<string, string>>): Promise<void> {
    let output = "";
    const [command = "", ...args] = [...runner, programOf("postgres"), "-D", data];
    child = spawn(command, args, {
      ...{ ...user, detached, env: { ...process.env, ...environment, ...more } },
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = once(child, "exit").then(() => assert.fail(`postgres ended: ${output}`));
    ended.catch(() => undefined);
    const ready = new Promise<void>((resolve) => {
      child?.stderr?.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (/ready to accept (read-only )?connections/.test(output)) resolve();
      });
    });
    await Promise.race([ready, ended]);
  }

  /** The other processes of a killed server end by themselves, and no new one can start before. */
  async function start(more: Readonly<Record<string, string>> = {}): Promise<void> {
    for (;;) {
      try {
        return await startOnce(more);
      } catch (fault) {
        if (!String(fault).includes(leftProcesses)) throw fault;
        await sleep(50);
      }
    }
  }

  async function stop(how: Ending): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signals[how]);
    await ended;
  }

  // A test that is aborted leaves no server running.
  const killAtExit = () => child?.kill("SIGQUIT");
  process.once("exit", killAtExit);
  await start();
  return {
    async createDatabase(copyOf) {
      databases += 1;
      const name = `test_${databases}`;
      const client = new pg.Client(urlOf("postgres"));
      await client.connect();
      const template = copyOf === undefined ? "template1" : new URL(copyOf).pathname.slice(1);
      await client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
      await client.end();
      return urlOf(name);
    },
    ...{ url: urlOf("postgres"), folder },
    get pid() {
      return child?.pid ?? 0;
    },
    async restart(how = "immediate") {
      await stop(how);
      await start();
    },
    ...{ stop, start },
    async [Symbol.asyncDispose]() {
      await stop("immediate");
      process.off("exit", killAtExit);
      if (existsSync(folder)) await rm(folder, { recursive: true });
    },
  };
}
