import type { CheckOutcome } from "../check-outcome.ts";
import { runCommand } from "../run-command.ts";

/** Formatting and lint rules of `biome.json`, over every file that git does not ignore. */
export async function checkFormatAndLint(): Promise<CheckOutcome> {
  const outcome = await runCommand("node_modules/@biomejs/biome/bin/biome", [
    "ci",
    "--colors=off",
    "--max-diagnostics=50",
    ".",
  ]);
  if (outcome.ok) return { ok: true, output: "" };
  return {
    ok: false,
    output: `${outcome.output}\n\nMost of it is fixed by: npm run format (biome check --write .)`,
  };
}
