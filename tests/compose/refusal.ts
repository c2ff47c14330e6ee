import assert from "node:assert/strict";
import { readSettings } from "../../src/compose/read-settings.ts";
import { SettingError } from "../../src/compose/settings.ts";

/** The line with which a start is refused. */
export function refusal(
  args: readonly string[],
  env: Record<string, string> = {},
  fileEnv: Record<string, string> = {},
): string {
  try {
    readSettings(args, { env, fileEnv });
  } catch (error) {
    assert.ok(error instanceof SettingError, String(error));
    return error.message;
  }
  return assert.fail(`accepted: ${args.join(" ")} ${JSON.stringify(env)}`);
}
