import path from "node:path";
import { io } from "socket.io-client";
import manifest from "../../../package.json" with { type: "json" };
import { comeBackMs, type Peer } from "./peer.ts";

/**
 * `socket.io` with connection state recovery. The client asks once and leaves the rest to socket.io, as its documentation
 * says.
 */
function socketIoPeer(adapter: "in memory" | "Redis streams"): Peer {
  return {
    name: `socket.io ${manifest.devDependencies["socket.io"]}, ${adapter}`,
    usesRedis: adapter === "Redis streams",
    server: ({ upstreamUrl, redisUrl }) => ({
      program: path.join(import.meta.dirname, "socket-io-program.ts"),
      environment: {
        UPSTREAM_URL: upstreamUrl,
        ...(adapter === "Redis streams" ? { REDIS_URL: redisUrl } : {}),
      },
    }),
    ask(port, _id, onText) {
      const socket = io(`http://127.0.0.1:${port}`, {
        forceNew: true,
        reconnectionDelay: comeBackMs,
        reconnectionDelayMax: comeBackMs,
        randomizationFactor: 0,
      });
      const end = Promise.withResolvers<string>();
      socket.once("connect", () => socket.emit("ask"));
      socket.on("text", onText);
      socket.on("end", () => end.resolve("completed"));
      return { end: end.promise, close: () => socket.close() };
    },
  };
}

export const socketIoPeers: readonly Peer[] = [socketIoPeer("in memory"), socketIoPeer("Redis streams")];
