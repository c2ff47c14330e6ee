import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createServerProcess, troupeEnvironment } from "../../crash/server-process.ts";
import { startWordUpstream } from "./word-upstream.ts";

/** The real server as a process of its own in front of an upstream of words. */
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
  return { upstream, server, url, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
