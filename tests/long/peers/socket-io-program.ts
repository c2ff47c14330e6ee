import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { upstreamText } from "./upstream-text.ts";

const { PORT = "0", UPSTREAM_URL = "", REDIS_URL } = process.env;

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
io.on("connection", (socket) => {
  socket.on("ask", async () => {
    for await (const text of upstreamText(UPSTREAM_URL)) io.to(socket.id).emit("text", text);
    io.to(socket.id).emit("end");
  });
});
server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listens on ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
