import { type Attack, scaled } from "../attack.ts";
import { bearer } from "../attack-clients.ts";
import { fillConversation, megabytes } from "../fill-conversation.ts";

const size = scaled(100);
const id = "deleted";

export const largeDeletion: Attack = {
  name: `deleting a conversation of ${size} MB`,
  before: "100 MB stopped every answer for 7 s, 25 MB for 0.4 to 1.3 s",
  limit: "commits of 256 KB, the journal first",
  maxGrowthMiB: 96,
  fill: (database) => fillConversation(database, { id, messages: megabytes(size) }),
  async attack({ httpUrl, key }) {
    const answer = await fetch(`${httpUrl}/api/conversations/${id}`, {
      method: "DELETE",
      headers: bearer(key),
    });
    return `answered with ${answer.status}`;
  },
};
