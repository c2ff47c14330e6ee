import { chmod, lstat, mkdir, open, readdir, readFile } from "node:fs/promises";
import path from "node:path";

/** Rights of the owner only. */
const folderMode = 0o700;
const fileMode = 0o600;
/** The rights of all other users. */
const othersMask = 0o077;
/** The files that Troupe keeps in its data folder. */
const ownFile = /^(?:troupe\.db(?:-wal|-shm|-lock)?|page-token|websocket_test\.html)$/;

/**
 * Makes the data folder and the given files in it, for its owner alone, before SQLite writes to them. Files and a folder of an earlier
 * start lose the rights of other users. A folder that also holds other files is left as it is, because it may be shared on purpose.
 * `onWarning` is called for such a folder, and for rights that cannot be removed.
 */
export async function openPrivateFolder(
  folder: string,
  { files, onWarning }: { readonly files: readonly string[]; readonly onWarning: (warning: string) => void },
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: folderMode });
  // SQLite gives its log and its index the rights of the database.
  for (const file of files) await makeFile(path.join(folder, file));
  const names = await readdir(folder);
  for (const name of names.filter((one) => ownFile.test(one)))
    await takeRights(path.join(folder, name), fileMode, onWarning);
  if (names.every((name) => ownFile.test(name))) await takeRights(folder, folderMode, onWarning);
  else if (((await lstat(folder)).mode & othersMask) !== 0)
    onWarning(
      `Others may read the names in the data folder ${folder}, which is not Troupe's alone: chmod 700 it`,
    );
}

/** An existing file is not even opened: closing it would end all locks that this process has on it, SQLite's included. */
async function makeFile(file: string): Promise<void> {
  try {
    await (await open(file, "wx", fileMode)).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Writes a file that only its owner may read, with the folders above it. */
export async function writePrivate(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: folderMode });
  await using handle = await open(file, "w", fileMode);
  // An existing file keeps its rights when it is opened.
  await handle.chmod(fileMode);
  await handle.writeFile(text);
}

async function takeRights(file: string, mode: number, onWarning: (warning: string) => void): Promise<void> {
  // On Windows these bits mean nothing.
  if (process.platform === "win32") return;
  const status = await lstat(file);
  if (status.isSymbolicLink() || (status.mode & othersMask) === 0) return;
  try {
    await chmod(file, mode);
  } catch (error) {
    onWarning(`Others may read ${file}: ${(error as Error).message}`);
  }
}

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
