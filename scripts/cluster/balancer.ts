import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../repository.ts";
import { findProgram } from "./program.ts";

/** The file of Debian's HAProxy; `undefined` if it is not installed. */
export const haproxy = findProgram(["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"]);

/** Where a balancer listens, and the nodes behind it, all on this machine. */
export interface BalancerPlaces {
  readonly port: number;
  readonly nodePorts: readonly number[];
}

/**
 * `deploy/haproxy.cfg` for nodes on this machine, with fewer sockets, because a user's limit of open files is often low. Everything else in
 * it stays as it is delivered.
 */
export async function haproxyConfiguration({ port, nodePorts }: BalancerPlaces): Promise<string> {
  const delivered = await readFile(join(root, "deploy/haproxy.cfg"), "utf8");
  return delivered
    .replace("maxconn 20000", "maxconn 1000")
    .replace("bind :8000", `bind 127.0.0.1:${port}`)
    .replace(" resolvers names init-addr libc,none", "")
    .replace(/\nresolvers names\n(?: .*\n)+/, "")
    .replace(/(?: {2}server .*\n)+/, nodePorts.map(serverLine).join(""));
}

function serverLine(port: number, index: number): string {
  return `  server node-${index + 1} 127.0.0.1:${port}\n`;
}

/** The file of Debian's nginx; `undefined` if it is not installed. */
export const nginx = findProgram(["/usr/sbin/nginx", "/usr/bin/nginx"]);

/** `deploy/nginx.conf` for nodes on this machine, with its temporary files in a folder. Everything else in it stays as it is delivered. */
export async function nginxConfiguration(
  { port, nodePorts }: BalancerPlaces,
  folder: string,
): Promise<string> {
  const delivered = await readFile(join(root, "deploy/nginx.conf"), "utf8");
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const temporary = kinds.map((kind) => `  ${kind}_temp_path ${join(folder, kind)};\n`).join("");
  return delivered
    .replace("worker_processes auto;", `worker_processes 1;\ndaemon off;\npid ${join(folder, "nginx.pid")};`)
    .replace("worker_connections 20000;", "worker_connections 1000;")
    .replace("http {\n", `http {\n  access_log off;\n${temporary}`)
    .replace(/(?: {4}server node-.*\n)+/, (lines) => {
      const options = /max_fails.*;/.exec(lines)?.[0] ?? ";";
      return nodePorts.map((own) => `    server 127.0.0.1:${own} ${options}\n`).join("");
    })
    .replace("listen 8000;", `listen 127.0.0.1:${port};`);
}
