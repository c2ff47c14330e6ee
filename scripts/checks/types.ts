import type { CheckOutcome } from "../check-outcome.ts";
import { runCommand } from "../run-command.ts";

/** Types, three times: what runs on Node without a browser's types, in a browser without Node's, and what is published. */
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
