import { readFile } from "node:fs/promises";
import path from "node:path";
import { parseEnv } from "node:util";
import { SettingError } from "./settings.ts";

/**
 * The variables of the file `.env` in a folder, as Node reads such files; none if there is no file. PowerShell writes UTF-16, and editors
 * of Windows a byte order mark: both are understood. Rejects with a `SettingError` if the file cannot be read.
 */
export async function readEnvFile(folder: string): Promise<Readonly<Record<string, string>>> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path.join(folder, ".env"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A folder of this name is somebody's environment of Python.
    if (code === "ENOENT" || code === "EISDIR") return {};
    throw new SettingError(`.env: it cannot be read (${code}); correct its rights or move it away`);
  }
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  const text = bytes.toString(isUtf16 ? "utf16le" : "utf8").replace(/^\ufeff/, "");
  const parsed = Object.entries(parseEnv(text)).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(parsed);
}
