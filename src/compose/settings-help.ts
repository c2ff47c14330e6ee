import { listSettings } from "./settings.ts";

/** The text of `--help`. */
export function settingsHelp(): string {
  const rows = listSettings().map(({ name, flag, fallback, help }) => {
    const shown = fallback === "" ? "" : ` (default ${fallback})`;
    return `${`  ${flag} VALUE`.padEnd(42)}${name}\n      ${help}${shown}`;
  });
  return [
    "Usage: troupe [flags]",
    "",
    "Every flag can be set by the environment variable beside it, and by a line NAME=value of the file .env in the working folder.",
    "A flag goes before the environment, and the environment before the file.",
    "",
    ...rows,
  ].join("\n");
}
