import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import manifest from "../../../package.json" with { type: "json" };
import { comeBackMs, type Peer } from "./peer.ts";
import { endMark } from "./script.ts";

/** npm `resumable-stream` with Redis, over plain HTTP: a client asks again and says how many characters it has. */
export const resumableStreamPeer: Peer = {
  name: `resumable-stream ${manifest.devDependencies["resumable-stream"]}, Redis`,
  usesRedis: true,
  server: ({ upstreamUrl, redisUrl }) => ({
    program: path.join(import.meta.dirname, "resumable-stream-program.ts"),
    environment: { UPSTREAM_URL: upstreamUrl, REDIS_URL: redisUrl },
  }),
  ask(port, id, onText) {
    const closed = new AbortController();
    let received = "";

    /** Reads one connection. Returns how the answer ended, if it did. */
    async function readOnce(): Promise<string | undefined> {
      const query = received === "" ? "" : `?resumeAt=${received.length}`;
      const response = await fetch(`http://127.0.0.1:${port}/${id}${query}`, { signal: closed.signal });
      if (response.status === 422) return "told that it is over";
      if (!response.ok || response.body === null) return undefined;
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
        received += text;
        onText(text);
      }
      return received.endsWith(`${endMark} `) ? "completed" : undefined;
    }

    async function read(): Promise<string> {
      while (!closed.signal.aborted) {
        // After a broken connection the client reconnects.
        const end = await readOnce().catch(() => undefined);
        if (end !== undefined) return end;
        await sleep(comeBackMs);
      }
      return "closed";
    }
    return { end: read(), close: () => closed.abort() };
  },
};
