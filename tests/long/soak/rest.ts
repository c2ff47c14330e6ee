import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../support/wire-client.ts";
import type { ChildProgram } from "../load/child-program.ts";
import type { NumberedUpstreamAnswers } from "../load/numbered-upstream-program.ts";
import type { ServerAnswers } from "../load/server-program.ts";
import type { ConversationReader } from "./conversation-reader.ts";
import { type DatabaseSize, readDatabaseSize } from "./database-size.ts";

/** The figures of a server without clients that has forgotten everything it may forget. */
export interface Rest {
  readonly memory: Awaited<ReturnType<ServerAnswers["memory"]>>;
  readonly resources: Awaited<ReturnType<ServerAnswers["resources"]>>;
  readonly database: DatabaseSize;
}

export interface RestOptions {
  readonly server: ChildProgram<ServerAnswers>;
  readonly upstream: ChildProgram<NumberedUpstreamAnswers>;
  readonly url: string;
  readonly reader: ConversationReader;
  readonly database: string;
}

/** Maximum number of checks while a server comes to rest, and the pause between two of them. */
const maxLooks = 1_000;
const pauseMs = 200;

/**
 * Deletes all conversations, waits for rest and measures. The server must have no other clients. Rejects if it does not
 * come to rest.
 */
export async function comeToRest({ server, upstream, url, reader, database }: RestOptions): Promise<Rest> {
  const until = async (what: string, isSo: () => Promise<boolean>) => {
    for (let look = 0; look < maxLooks; look += 1) {
      if (await isSo()) return;
      await sleep(pauseMs);
    }
    throw new Error(`the server did not come to rest: ${what}`);
  };
  await reader.deleteAll();
  const visitor = await connect(url);
  await until("logs are left", async () => {
    // Looking for a log removes the logs whose time is over.
    visitor.send({ type: "resume", data: { request_id: "nobody", after_seq: 0 } });
    await visitor.next((message) => message.type === "error");
    return (await server.ask("stats")).logs === 0;
  });
  visitor.close();
  await until("rows are left", async () => {
    const { turnRows, conversationRows } = readDatabaseSize(database);
    return turnRows + conversationRows === 0;
  });
  await until("turns or connections are left", async () => {
    const { turns, connections } = await server.ask("stats");
    return turns === 0 && connections === 0;
  });
  await upstream.ask("hangUp");
  await until("calls are left", async () => (await upstream.ask("traffic")).openConnections === 0);
  const resources = await server.ask("resources");
  return { resources, memory: await server.ask("memory"), database: readDatabaseSize(database) };
}
