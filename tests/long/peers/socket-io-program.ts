import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { upstreamText } from "./upstream-text.ts";

const { PORT = "0", UPSTREAM_URL = "", REDIS_URL } = process.env;

/** Enough for the last packets to be sent to Redis. */
const flushMs = 300;

/** As in the adapter's README. Without Redis the default adapter, in memory, is used. */
async function redisAdapter(url: string) {
  const client = createClient({ url });
  // The client restores lost connections by itself.
  client.on("error", console.error);
  await client.connect();
  return createAdapter(client);
}

const server = createServer();
const io = new Server(server, {
  connectionStateRecovery: { maxDisconnectionDuration: 2 * 60 * 1000 },
  ...(REDIS_URL === undefined ? {} : { adapter: await redisAdapter(REDIS_URL) }),
});
let answers = 0;
let isStopping = false;
io.on("connection", (socket) => {
  socket.on("ask", async () => {
    answers += 1;
    for await (const text of upstreamText(UPSTREAM_URL)) io.to(socket.id).emit("text", text);
    io.to(socket.id).emit("end");
    answers -= 1;
    leave();
  });
});

/** Ends a stopping process once its answers have been passed on to Redis. */
function leave(): void {
  if (isStopping && answers === 0) setTimeout(() => process.exit(0), flushMs);
}

// As documented, a close disconnects all clients, which then connect again elsewhere. The answers go on.
process.on("SIGTERM", () => {
  isStopping = true;
  void io.close();
  leave();
});
server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listens on ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
