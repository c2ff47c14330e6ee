import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { createTroupeClient, TroupeRequestError } from "troupe/client";
import manifest from "../../../package.json" with { type: "json" };
import { troupeEnvironment } from "../../crash/server-process.ts";
import { comeBackMs, type Peer } from "./peer.ts";

/** No balancer has to notice that a node stops, and the few clients need not come back spread over a time. */
const nodeSettings = {
  TROUPE_LAME_DUCK_MS: "0",
  TROUPE_RECONNECT_SPREAD_MS: "100",
  TROUPE_DRAIN_MS: "60000",
};

/** Troupe with its own client, as in its README. */
export const troupePeer: Peer = {
  name: `Troupe ${manifest.version}`,
  usesRedis: false,
  server: ({ folder, upstreamUrl, databaseUrl }) => ({
    environment: {
      ...troupeEnvironment({ data: folder, upstreamUrl }),
      ...(databaseUrl === undefined ? {} : { TROUPE_DATABASE_URL: databaseUrl, ...nodeSettings }),
    },
  }),
  ask(port, id, onText) {
    const troupe = createTroupeClient({ url: `ws://127.0.0.1:${port}/ws`, backoff: () => comeBackMs });
    const data = { input_text: "Count.", pacing: { mode: "raw" } } as const;
    const request = troupe.request("openai_chat", data, { id });
    const read = async () => {
      try {
        for await (const message of request) if (message.type === "chunk") onText(message.chunk);
        return (await request.done).status;
      } catch (error) {
        if (error instanceof TroupeRequestError) return `error \`${error.code}\``;
        throw error;
      }
    };
    return { end: read(), close: () => troupe.close() };
  },
  /** No write succeeds while another connection holds the database, as on a disk that hangs. */
  async blink(ms, { folder }) {
    const database = new DatabaseSync(path.join(folder, "troupe.db"), { timeout: 5_000 });
    database.exec("BEGIN IMMEDIATE");
    await sleep(ms);
    database.exec("ROLLBACK");
    database.close();
  },
};
