import { readFile } from "node:fs/promises";
import path from "node:path";
import { parseEnv } from "node:util";
import { allSettings, SettingError } from "./settings.ts";

interface EnvFile {
  readonly variables: Readonly<Record<string, string>>;
  /** One note for each line that names a setting without a value. */
  readonly notes: readonly string[];
}

const names = new Set(allSettings.map(({ name }) => name));

/**
 * The variables of the file `.env` in a folder, parsed as Node does; none if there is no file. UTF-16, as PowerShell writes it, and the
 * byte order mark of Windows editors are understood. Rejects with a `SettingError` if the file cannot be read.
 */
export async function readEnvFile(folder: string): Promise<EnvFile> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path.join(folder, ".env"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A folder of this name is a Python environment.
    if (code === "ENOENT" || code === "EISDIR") return { variables: {}, notes: [] };
    throw new SettingError(`.env: it cannot be read (${code}); correct its rights or move it away`);
  }
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  const text = bytes.toString(isUtf16 ? "utf16le" : "utf8").replace(/^\ufeff/, "");
  const parsed = Object.entries(parseEnv(text)).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const variables = Object.fromEntries(parsed);
  return { variables, notes: unreadLines(text, variables) };
}

/** Node skips lines without an equals sign, such as `PORT: 80` and `PORT 80`. */
function unreadLines(text: string, variables: EnvFile["variables"]): string[] {
  return text.split("\n").flatMap((line, at) => {
    const named = /^\s*(?:export\s+)?([A-Z][A-Z\d_]*)(?!\w|\s*=)/.exec(line)?.[1] ?? "";
    if (!names.has(named) || named in variables) return [];
    return [`.env: line ${at + 1} names ${named} and sets nothing; write ${named}=value`];
  });
}
