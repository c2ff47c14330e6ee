import { readFile } from "node:fs/promises";
import path from "node:path";
import { writePrivate } from "./private-folder.ts";

const tokenForm = /^[0-9a-f]{32}$/;

/** The token of this installation that a page opened from disk must present. Made at the first start and stored. */
export async function keepPageToken(folder: string): Promise<string> {
  const file = path.join(folder, "page-token");
  const kept = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  if (tokenForm.test(kept.trim())) return kept.trim();
  const token = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
  await writePrivate(file, `${token}\n`);
  return token;
}
