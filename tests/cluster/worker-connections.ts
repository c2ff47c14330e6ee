import { readdir, readFile, readlink } from "node:fs/promises";
import { connect, type WireClient } from "../support/wire-client.ts";

/** How many client connections a process has at a port, as Linux reports them. */
async function countConnections(pid: number, port: number): Promise<number> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const established = new Set<string>();
  for (const line of (await readFile("/proc/net/tcp", "utf8")).split("\n")) {
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    if (local.endsWith(suffix) && state === "01") established.add(`socket:[${inode}]`);
  }
  const files = await readdir(`/proc/${pid}/fd`);
  // A connection that was closed meanwhile does not count.
  const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => "")));
  return links.filter((link) => established.has(link)).length;
}

/**
 * Connects a client to this process. The system picks the process for each connection, so it opens connections until one
 * reaches this process.
 */
export async function connectTo(pid: number, url: string): Promise<WireClient> {
  const port = Number(new URL(url).port);
  for (;;) {
    const before = await countConnections(pid, port);
    const client = await connect(url);
    if ((await countConnections(pid, port)) > before) return client;
    client.terminate();
    await client.closed;
  }
}
