import { type CheckOutcome, outcomeOf } from "../check-outcome.ts";
import { listFiles, readFiles } from "../repository.ts";
import { runCommand } from "../run-command.ts";
import { findUnsharedExports } from "../unshared-exports.ts";

/** Everything in these files is for users of `troupe/protocol`. */
const shared = new Set(
  ["client-messages", "closes", "decode", "errors", "limits", "server-messages"].map(
    (name) => `src/protocol/${name}.ts`,
  ),
);

/**
 * Finds files, exports and dependencies that nothing uses, imports of packages that `package.json` does not name, and exported names that
 * only their own file mentions.
 */
export async function checkUnused(): Promise<CheckOutcome> {
  const unused = await runCommand("node_modules/knip/bin/knip.js", ["--no-progress", "--no-config-hints"]);
  const sources = await readFiles(await listFiles(), ["src", "scripts", "bench", "tests"], [".ts", ".tsx"]);
  const unshared = outcomeOf(findUnsharedExports(sources, shared));
  return unused.ok ? unshared : { ok: false, output: `${unused.output}\n${unshared.output}` };
}
