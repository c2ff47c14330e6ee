import { setTimeout as sleep } from "node:timers/promises";
import type { ClientOptions } from "ws";
import { createDataFolder } from "../../crash/data-folder.ts";
import type { SeededRandom } from "../../crash/seeded-random.ts";
import { createServerProcess, type ServerProcess, troupeEnvironment } from "../../crash/server-process.ts";
import { connect } from "../../support/wire-client.ts";

interface NodesOptions {
  readonly databaseUrl: string;
  readonly upstreamUrl: string;
  readonly count: number;
  /** The database's address for each node, by its place. Default: the same for all. */
  readonly databaseUrlOf?: (place: number) => string;
  readonly variables?: Readonly<Record<string, string>>;
  /** The variables of the first life of a node, by its place. Default: none. */
  readonly variablesOf?: (place: number) => Readonly<Record<string, string>>;
  readonly preload?: string;
}

/** Nodes in processes of their own, on one database. */
export interface TestNodes extends AsyncDisposable {
  readonly all: readonly ServerProcess[];
  any(random: SeededRandom): ServerProcess;
  /** The address of any of them, as a balancer would choose one. */
  anyUrl(random: SeededRandom): string;
  /** Its name in the database, which is also its key at the provider. */
  nameOf(node: ServerProcess): string;
  signal(node: ServerProcess, signal: NodeJS.Signals): void;
}

const nameAt = (place: number) => `node-${place}`;

export async function startNodes({
  databaseUrl,
  upstreamUrl,
  count,
  databaseUrlOf = () => databaseUrl,
  variables = {},
  variablesOf = () => ({}),
  preload,
}: NodesOptions): Promise<TestNodes> {
  await using opening = new AsyncDisposableStack();
  const all: ServerProcess[] = [];
  for (let number = 0; number < count; number += 1) {
    const { folder: data } = opening.use(await createDataFolder());
    const environment = troupeEnvironment({ data, upstreamUrl });
    const node = createServerProcess({
      environment: {
        ...environment,
        LOG_LEVEL: "fatal",
        TROUPE_NODE_NAME: nameAt(number),
        OPENAI_API_KEY: nameAt(number),
        TROUPE_DATABASE_URL: databaseUrlOf(number),
        ...variables,
      },
      ...(preload === undefined ? {} : { preload }),
    });
    all.push(node);
    opening.defer(() => node.kill());
    node.start(variablesOf(number));
  }
  await Promise.all(all.map((node) => node.listening()));
  const opened = opening.move();
  const [first, ...others] = all;
  if (first === undefined) throw new Error("There must be a node.");
  const any = (random: SeededRandom) => random.pick([first, ...others]);
  return {
    ...{ all, any },
    anyUrl: (random) => any(random).url ?? "",
    nameOf: (node) => nameAt(all.indexOf(node)),
    signal: (node, signal) => void process.kill(node.pid, signal),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/**
 * Waits until a node can be connected to: one that was taken over closes its port until it has started again. Rejects if its process has
 * ended.
 */
export async function untilServing(node: ServerProcess, handshake: ClientOptions = {}): Promise<void> {
  let hasEnded = false;
  node.ended().then(() => {
    hasEnded = true;
  });
  for (;;) {
    try {
      (await connect(node.url ?? "", handshake)).terminate();
      return;
    } catch {
      if (hasEnded) throw new Error(`a node has ended: ${node.faults.join("\n")}`);
      await sleep(50);
    }
  }
}
