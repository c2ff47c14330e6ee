import { setTimeout as sleep } from "node:timers/promises";
import { createDataFolder } from "../crash/data-folder.ts";
import { createServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import type { Script } from "../doubles/script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { connectTo } from "./worker-connections.ts";

export const onLinux = {
  skip: process.platform === "linux" ? false : "which process serves a client is read from /proc",
};
/** Pause between two checks of real processes, which need the processor meanwhile. */
export const aMoment = () => sleep(20);

/** A real server with two workers, and a provider that answers with this script. */
export async function startProcesses(script: Script, variables: Readonly<Record<string, string>> = {}) {
  await using stack = new AsyncDisposableStack();
  const place = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  upstream.respond(script);
  const environment = troupeEnvironment({ data: place.folder, upstreamUrl: upstream.baseUrl });
  const server = createServerProcess({ environment: { ...environment, TROUPE_WORKERS: "2", ...variables } });
  stack.defer(() => server.kill());

  /** The process ids of the workers, once there are two. */
  async function bothWorkers(): Promise<readonly [number, number]> {
    for (;;) {
      const [first, second] = await server.workers();
      if (first !== undefined && second !== undefined) return [first, second];
      await aMoment();
    }
  }

  /** Connects a client to each worker. Settles when both serve. */
  async function connectBoth() {
    const [first, second] = await bothWorkers();
    const url = server.url ?? "";
    return { first, second, clients: [await connectTo(first, url), await connectTo(second, url)] as const };
  }

  server.start();
  await server.listening();
  const started = stack.move();
  return {
    upstream,
    server,
    folder: place.folder,
    bothWorkers,
    connectBoth,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
