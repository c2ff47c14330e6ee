import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createServerProcess, troupeEnvironment } from "../../crash/server-process.ts";
import { startWordUpstream } from "./word-upstream.ts";

/** Starts the real server in its own process, with an upstream of words. */
export async function startServer(environment: Readonly<Record<string, string>> = {}) {
  const stack = new AsyncDisposableStack();
  const data = await mkdtemp(path.join(tmpdir(), "troupe-sockets-"));
  stack.defer(() => rm(data, { recursive: true }));
  const upstream = stack.use(await startWordUpstream());
  const server = createServerProcess({
    environment: { ...troupeEnvironment({ data, upstreamUrl: upstream.baseUrl }), ...environment },
  });
  stack.defer(() => server.kill());
  server.start();
  await server.listening();
  const { url } = server;
  if (url === undefined) throw new Error("the server does not listen");
  const httpUrl = url.replace(/^ws(.*)\/ws$/, "http$1");
  const port = Number(new URL(url).port);
  return {
    upstream,
    server,
    url,
    httpUrl,
    connections: () => countConnections(port),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const established = "01";

/** Open connections on the server's side, as Linux reports them. */
async function countConnections(port: number): Promise<number> {
  const own = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = (await readFile("/proc/net/tcp", "utf8")).trim().split("\n");
  return lines.filter((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return local?.endsWith(own) && state === established;
  }).length;
}
