import type { CheckOutcome } from "../check-outcome.ts";
import { runCommand } from "../run-command.ts";

/**
 * Checks types three times: the code for Node without a browser's types, the code for browsers without Node's, and the
 * published types.
 */
export async function checkTypes(): Promise<CheckOutcome> {
  const configurations = ["tsconfig.json", "tsconfig.browser.json", "tsconfig.build.json"];
  const outcomes = await Promise.all(
    configurations.map((file) => runCommand("node_modules/typescript/bin/tsc", ["--noEmit", "-p", file])),
  );
  const lines = outcomes.flatMap(({ output }, index) =>
    output === "" ? [] : [`${configurations[index]}:\n${output}`],
  );
  return { ok: outcomes.every(({ ok }) => ok), output: lines.join("\n\n") };
}
