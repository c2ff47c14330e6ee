import { type Attack, scaled, type Target } from "../attack.ts";
import { bearer } from "../attack-clients.ts";
import { fillConversation, megabytes } from "../fill-conversation.ts";

const size = scaled(260);
const id = "long";

async function readAll({ httpUrl, key }: Target, path: string): Promise<string> {
  const answer = await fetch(`${httpUrl}/api/conversations/${path}`, { headers: bearer(key) });
  let bytes = 0;
  for await (const piece of answer.body ?? []) bytes += (piece as Uint8Array).length;
  return `${answer.status} with ${Math.round(bytes / 1e6)} MB`;
}

export const longConversation: Attack = {
  name: `reading and exporting a conversation of ${size} MB`,
  before: "GET of 260 MB ended the process; 65 MB took 377 MiB and a pause of 549 ms",
  limit: "pages of 32 KiB; the next is read after the connection took the last",
  maxGrowthMiB: 128,
  fill: (database) => fillConversation(database, { id, messages: megabytes(size) }),
  async attack(target) {
    const reads = [id, `${id}/export?format=json`, `${id}/export?format=markdown`];
    const answers: string[] = [];
    for (const path of reads) answers.push(await readAll(target, path));
    return answers.join(", ");
  },
};
