import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const promtool = ["/usr/bin/promtool"].find((file) => existsSync(file));

/** On CI it must be there. Elsewhere the tests are skipped without it. */
export const withPromtool = { skip: promtool === undefined && process.env.CI !== "true" && "no promtool" };

/** Runs Prometheus' own checker, and returns its complaints: empty if there are none. */
export function runPromtool(args: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(promtool ?? "promtool", args, {
    input,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  return status === 0 ? stderr.trim() : `${stdout}${stderr}`.trim() || `status ${status}`;
}
