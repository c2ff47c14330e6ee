import { readdir, readFile, readlink } from "node:fs/promises";
import { connect, type WireClient } from "../support/wire-client.ts";

/** How many connections of clients a process has at a port, as Linux tells. */
async function countConnections(pid: number, port: number): Promise<number> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const established = new Set<string>();
  for (const line of (await readFile("/proc/net/tcp", "utf8")).split("\n")) {
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    if (local.endsWith(suffix) && state === "01") established.add(`socket:[${inode}]`);
  }
  const files = await readdir(`/proc/${pid}/fd`);
  // One that was closed meanwhile is none.
  const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => "")));
  return links.filter((link) => established.has(link)).length;
}

/** A client that this process serves: the system chooses who does, so clients are made until it chose this one. */
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
