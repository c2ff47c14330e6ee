import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createServerProcess, troupeEnvironment } from "../../crash/server-process.ts";
import { startWordUpstream } from "./word-upstream.ts";

/**
 * Starts the real server in its own process, with an upstream of words. `kinds` names the endpoints of a config file, each after the API over
 * which it asks that upstream. Default: no such file, and `openai` asks it.
 */
export async function startServer(
  environment: Readonly<Record<string, string>> = {},
  kinds: readonly string[] = [],
) {
  const stack = new AsyncDisposableStack();
  const data = await mkdtemp(path.join(tmpdir(), "troupe-sockets-"));
  stack.defer(() => rm(data, { recursive: true }));
  const upstream = stack.use(await startWordUpstream());
  const { baseUrl } = upstream;
  const configFile = path.join(data, "troupe.json");
  const endpoints = kinds.map((kind) => [kind, { kind, baseUrl, key: "test-key", model: "m-1" }] as const);
  if (kinds.length > 0)
    await writeFile(configFile, JSON.stringify({ providers: Object.fromEntries(endpoints) }));
  const server = createServerProcess({
    environment: {
      ...troupeEnvironment({ data, upstreamUrl: baseUrl }),
      ...(kinds.length > 0 ? { TROUPE_CONFIG: configFile } : {}),
      ...environment,
    },
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
