import { rmSync } from "node:fs";
import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findRunner } from "../../src/compose/find-runner.ts";
import { stopOnSignals } from "../../src/compose/stop-on-signals.ts";
import { hasPostgres, startPostgres } from "../../tests/long/postgres/postgres-server.ts";
import { freePort } from "../../tests/support/free-port.ts";
import { haproxy, haproxyConfiguration } from "./balancer.ts";
import { type ClusterNode, startNodes } from "./cluster-nodes.ts";
import { findProgram, type Program, startProgram } from "./program.ts";

const nodeCount = 3;
const redis = findProgram(["/usr/bin/redis-server", "/usr/local/bin/redis-server"]);

/** Settings of the caller's environment that would lead the nodes away from this cluster. */
const ownSettings = /^(PORT|HOST|TROUPE_DATABASE_URL|TROUPE_STORE|TROUPE_WORKERS|TROUPE_DATA|REDIS_URL)$/i;

/**
 * `npm run cluster`: three nodes on PostgreSQL and Redis behind HAProxy, all of this machine and in a temporary folder, until Ctrl-C. Prints
 * where to look. Returns the exit code.
 */
export async function main(environment: NodeJS.ProcessEnv): Promise<number> {
  const missing = missingPackages();
  if (missing.length > 0 || haproxy === undefined || redis === undefined) {
    console.error(
      `npm run cluster: ${missing.join(" and ")} must be installed: apt-get install ${missing.join(" ")}`,
    );
    return 1;
  }
  const stopping = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const whenAsked = stopOnSignals({
    source: process,
    now: () => performance.now(),
    say: (line) => console.log(line),
    exit: (code) => process.exit(code),
    parent: findRunner(process.env),
  });
  await using opened = new AsyncDisposableStack();
  const folder = await openFolder(opened);
  const keep = (program: Program, signal: NodeJS.Signals) => {
    opened.defer(() => program.stop(signal));
    return program;
  };
  console.log("Starting PostgreSQL, Redis, three nodes and HAProxy");
  const postgres = opened.use(await startPostgres({ within: folder, detached: true }));
  const databaseUrl = await postgres.createDatabase();
  const redisPort = await freePort();
  const keepsNothing = ["--save", "", "--appendonly", "no", "--dir", folder];
  keep(
    await startProgram({
      command: redis,
      args: ["--port", String(redisPort), "--bind", "127.0.0.1", ...keepsNothing],
      environment,
      logFile: join(folder, "redis.log"),
      ready: /Ready to accept connections/,
    }),
    "SIGTERM",
  );
  const redisUrl = `redis://127.0.0.1:${redisPort}`;
  const nodes = await startNodes({
    ...{ count: nodeCount, folder, say: (line) => console.log(line) },
    environment: nodeEnvironment(environment, databaseUrl, redisUrl),
  });
  opened.defer(() => nodes.stop());
  const port = Number(environment.PORT) || (await freePort());
  const file = join(folder, "haproxy.cfg");
  await writeFile(file, await haproxyConfiguration({ port, nodePorts: nodes.all.map((node) => node.port) }));
  const balancer = keep(
    await startProgram({
      ...{ command: haproxy, args: ["-db", "-f", file], environment },
      logFile: join(folder, "haproxy.log"),
    }),
    "SIGTERM",
  );
  await untilReady(`http://localhost:${port}/readyz`, balancer);
  console.log(announcement({ port, nodes: nodes.all, databaseUrl, redisUrl, folder }));
  whenAsked({
    async stop() {
      stopping.resolve();
      await over.promise;
    },
    drainMs: Number(environment.TROUPE_DRAIN_MS) || 10_000,
  });
  await stopping.promise;
  await opened.disposeAsync();
  over.resolve();
  console.log("Everything is stopped, and its folder is deleted");
  return 0;
}

/** Debian's packages that this machine lacks. */
function missingPackages(): readonly string[] {
  return [
    ...(hasPostgres ? [] : ["postgresql"]),
    ...(redis === undefined ? ["redis-server"] : []),
    ...(haproxy === undefined ? ["haproxy"] : []),
  ];
}

/** Makes the cluster's folder, which is deleted at the end, also if the process exits at once. */
async function openFolder(opened: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "troupe-cluster-"));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", remove);
  opened.defer(() => {
    process.off("exit", remove);
    remove();
  });
  // PostgreSQL runs as another user if this one is root. The folders inside are private.
  await chmod(folder, 0o711);
  return folder;
}

function nodeEnvironment(
  environment: NodeJS.ProcessEnv,
  databaseUrl: string,
  redisUrl: string,
): NodeJS.ProcessEnv {
  const others = Object.entries(environment).filter(([name]) => !ownSettings.test(name));
  return {
    // The balancer listens on this machine only.
    TROUPE_ALLOW_ANONYMOUS: "true",
    TROUPE_LAME_DUCK_MS: "2000",
    ...Object.fromEntries(others),
    TROUPE_TRUSTED_PROXIES: "127.0.0.1,::1",
    TROUPE_DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
  };
}

async function untilReady(url: string, balancer: Program): Promise<void> {
  let end: string | undefined;
  void balancer.ended.then((how) => {
    end = how;
  });
  for (;;) {
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    if (end !== undefined) throw new Error(`HAProxy ended (${end})`);
    await sleep(100);
  }
}

interface Announced {
  readonly port: number;
  readonly nodes: readonly ClusterNode[];
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly folder: string;
}

function announcement({ port, nodes, databaseUrl, redisUrl, folder }: Announced): string {
  const lines = nodes.map(
    ({ name, pid, port: own, metricsPort }) =>
      `  ${name}     http://localhost:${own}/  metrics http://localhost:${metricsPort}/metrics  process ${pid}`,
  );
  const [first] = nodes;
  return [
    "The cluster is ready.",
    `  page       http://localhost:${port}/`,
    `  socket     ws://localhost:${port}/ws`,
    ...lines,
    `  PostgreSQL ${databaseUrl}`,
    `  Redis      ${redisUrl}`,
    `  logs       ${folder}/*.log`,
    `Try: kill -9 ${first?.pid} (a crash), kill ${first?.pid} (an orderly stop), kill -STOP ${first?.pid} (it freezes). A node that ends starts again.`,
    "Ctrl-C stops everything and deletes the folder.",
  ].join("\n");
}
