import { setTimeout as sleep } from "node:timers/promises";
import { questionOf } from "../../crash/numbered-answer.ts";
import { connect, type WireClient } from "../../support/wire-client.ts";
import type { ChildProgram } from "../load/child-program.ts";
import type { NumberedUpstreamAnswers } from "../load/numbered-upstream-program.ts";
import type { ServerAnswers } from "../load/server-program.ts";
import type { ConversationReader } from "./conversation-reader.ts";
import { type DatabaseSize, readDatabaseSize } from "./database-size.ts";

/** A server from which everybody has gone, and all that it may forget is forgotten. */
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
  /** Begins the ids of the last requests, which nobody else asks. */
  readonly name: string;
}

/** How often a server is looked at while it comes to rest, and the pause between two looks. */
const mostLooks = 600;
const pauseMs = 200;
/** What is left of earlier requests in the journal is thrown away while new ones are written, as far as nobody needs it. */
const lastRequests = 10;
const mostJournalRows = 200;

/** Lets everything go and measures; the server must have no clients but those that this makes. Rejects where it does not come to rest. */
export async function comeToRest(options: RestOptions): Promise<Rest> {
  const { server, upstream, url, reader, database, name } = options;
  const until = async (what: string, isSo: () => Promise<boolean>) => {
    for (let look = 0; look < mostLooks; look += 1) {
      if (await isSo()) return;
      await sleep(pauseMs);
    }
    throw new Error(`the server did not come to rest: ${what}`);
  };
  await reader.deleteAll();
  const visitor = await connect(url);
  await until("the journal is long", async () => {
    const rows = readDatabaseSize(database).journalRows;
    if (rows > mostJournalRows) await askSome(visitor, `${name}-${rows}`);
    return rows <= mostJournalRows;
  });
  await until("logs are left", async () => {
    // Whoever looks for a log has those thrown away whose time is over.
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

async function askSome(visitor: WireClient, name: string): Promise<void> {
  const ids = Array.from({ length: lastRequests }, (_, index) => `${name}-${index}`);
  for (const id of ids) visitor.send({ type: "openai_chat", id, data: { input_text: questionOf(id) } });
  for (const id of ids) await visitor.untilTerminal(id);
}
