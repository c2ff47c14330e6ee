import type { Attack } from "../attack.ts";
import { holdOn, openStalled } from "../attack-clients.ts";
import { fillConversation, megabytes } from "../fill-conversation.ts";

const connections = 60;
const id = "unread";

export const unreadBodies: Attack = {
  name: `${connections} HTTP connections that do not read 16 MB each`,
  before: "+565 MB, never closed; ended the process at this heap",
  limit: "pages of 32 KiB; `TROUPE_MAX_HTTP_CONNECTIONS_PER_ADDRESS`; cut after 30 to 40 s without progress",
  maxGrowthMiB: 96,
  fill: (database) => fillConversation(database, { id, messages: megabytes(16) }),
  async attack(target) {
    const request = `GET /api/conversations/${id} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${target.key}\r\n\r\n`;
    const sockets = await Promise.all(
      Array.from({ length: connections }, () => openStalled(target, request)),
    );
    await holdOn(4_000);
    for (const socket of sockets) socket.destroy();
    return `${sockets.length} held for 4 s`;
  },
};
