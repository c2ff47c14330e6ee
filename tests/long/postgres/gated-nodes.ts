import { createTroupe, type TroupeOptions } from "../../../src/compose/create-troupe.ts";
import { createGatedUpstream } from "../../cluster/gated-cluster.ts";
import { type RunningTroupe, serveTroupe } from "../../support/start-troupe.ts";
import { emptyDatabase } from "./open-store.ts";

/** Two nodes of this process on one database, and a provider that stops in the middle of its answer until the gate opens. */
export async function startGatedNodes(options: TroupeOptions = {}) {
  await using opening = new AsyncDisposableStack();
  const { gate, upstream } = await createGatedUpstream();
  opening.use(upstream);
  const databaseUrl = await emptyDatabase();
  const start = async (): Promise<RunningTroupe> => {
    const openai = { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl };
    const troupe = await createTroupe({ ...openai, localProviders: [], databaseUrl, ...options });
    return opened.use(await serveTroupe(troupe));
  };
  const opened = opening.move();
  const [first, second] = [await start(), await start()];
  return {
    ...{ first, second, gate, upstream, databaseUrl },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
