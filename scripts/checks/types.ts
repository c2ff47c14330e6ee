import type { CheckOutcome } from "../check-outcome.ts";
import { runCommand } from "../run-command.ts";

/** Types, twice: what runs on Node without a browser's types, and what runs in a browser without Node's. */
export async function checkTypes(): Promise<CheckOutcome> {
  const configurations = ["tsconfig.json", "tsconfig.browser.json"];
  const outcomes = await Promise.all(
    configurations.map((file) => runCommand("node_modules/typescript/bin/tsc", ["-p", file])),
  );
  const lines = outcomes.flatMap(({ output }, index) =>
    output === "" ? [] : [`${configurations[index]}:\n${output}`],
  );
  return { ok: outcomes.every(({ ok }) => ok), output: lines.join("\n\n") };
}
