import { createTroupe, type TroupeOptions } from "../../../src/compose/create-troupe.ts";
import { chat, createGatedUpstream, isChunk } from "../../cluster/gated-cluster.ts";
import { adminKey, bearer, type MadeKey } from "../../support/key-system.ts";
import { type RunningTroupe, serveTroupe } from "../../support/start-troupe.ts";
import { connect } from "../../support/wire-client.ts";
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

/**
 * A client at the first node asks with a new key, which the second node then revokes. Returns the client. The nodes must have been started
 * with `adminKey`.
 */
export async function revokeElsewhere({ first, second }: Awaited<ReturnType<typeof startGatedNodes>>) {
  const admin = bearer(adminKey);
  const body = JSON.stringify({ owner: "ada" });
  const made = await fetch(`${second.httpUrl}/api/keys`, { method: "POST", ...admin, body });
  const { id, key } = (await made.json()) as MadeKey;
  const client = await connect(first.url, bearer(key));
  client.send(chat("revoked"));
  await client.next(isChunk);
  await fetch(`${second.httpUrl}/api/keys/${id}`, { method: "DELETE", ...admin });
  return client;
}
