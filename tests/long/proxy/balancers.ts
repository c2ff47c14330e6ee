import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  haproxy,
  haproxyConfiguration,
  nginx,
  nginxConfiguration,
} from "../../../scripts/cluster/balancer.ts";
import { startProgram } from "../../../scripts/cluster/program.ts";
import { freePort } from "../../support/free-port.ts";

export type BalancerName = "HAProxy" | "nginx";

const commands = { HAProxy: haproxy, nginx };

/** On CI it must be there. Elsewhere the tests are skipped without it. */
export function withBalancer(name: BalancerName) {
  return { skip: commands[name] === undefined && process.env.CI !== "true" && `no ${name}` };
}

/** A balancer before nodes of this machine, with the configuration that is delivered. */
export async function startBalancer(
  name: BalancerName,
  nodePorts: readonly number[],
): Promise<AsyncDisposable & { readonly port: number }> {
  await using opening = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-balancer-"));
  opening.defer(() => rm(folder, { recursive: true }));
  const places = { port: await freePort(), nodePorts };
  const file = path.join(folder, "balancer.conf");
  const text =
    name === "nginx" ? await nginxConfiguration(places, folder) : await haproxyConfiguration(places);
  await writeFile(file, text);
  const program = await startProgram({
    command: commands[name] ?? name,
    args: name === "nginx" ? ["-e", "stderr", "-p", folder, "-c", file] : ["-db", "-f", file],
    environment: process.env,
    logFile: path.join(folder, "balancer.log"),
  });
  opening.defer(() => program.stop("SIGTERM"));
  const isReady = () => fetch(`http://127.0.0.1:${places.port}/readyz`).then((answer) => answer.ok);
  const failed = program.ended.then((how) => {
    throw new Error(`${name} ended: ${how}`);
  });
  while (!(await Promise.race([failed, isReady().catch(() => false)]))) await sleep(50);
  failed.catch(() => undefined);
  const opened = opening.move();
  return { port: places.port, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
