import type { CheckOutcome } from "../check-outcome.ts";
import { runCommand } from "../run-command.ts";

/** Finds files, exports and dependencies that nothing uses, and imports of packages that `package.json` does not name. */
export async function checkUnused(): Promise<CheckOutcome> {
  return runCommand("node_modules/knip/bin/knip.js", ["--no-progress", "--no-config-hints"]);
}
