import { setTimeout as sleep } from "node:timers/promises";
import { createDataFolder } from "../crash/data-folder.ts";
import { createServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import type { Script } from "../doubles/script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { connectTo } from "./worker-connections.ts";

export const onLinux = {
  skip: process.platform === "linux" ? false : "which process serves a client is read from /proc",
};
/** Between two looks at what real processes do, which have the processor meanwhile. */
export const aMoment = () => sleep(20);

/** A real server of two workers, in front of a provider that answers with this script. */
export async function startProcesses(script: Script, variables: Readonly<Record<string, string>> = {}) {
  await using stack = new AsyncDisposableStack();
  const place = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  upstream.respond(script);
  const environment = troupeEnvironment({ data: place.folder, upstreamUrl: upstream.baseUrl });
  const server = createServerProcess({ environment: { ...environment, TROUPE_WORKERS: "2", ...variables } });
  stack.defer(() => server.kill());

  /** The workers, when there are two. */
  async function bothWorkers(): Promise<readonly [number, number]> {
    for (;;) {
      const [first, second] = await server.workers();
      if (first !== undefined && second !== undefined) return [first, second];
      await aMoment();
    }
  }

  /** A client of each worker; settles when both serve. */
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
