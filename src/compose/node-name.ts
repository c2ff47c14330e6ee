import { hostname } from "node:os";
import type { Settings } from "./settings.ts";

/** The name of this server among others. */
export function nodeNameOf({
  nodeName,
  workers,
  databaseUrl,
}: Pick<Settings, "nodeName" | "workers" | "databaseUrl">): string {
  const isOneOfSeveral = workers > 1 && databaseUrl !== undefined;
  return nodeName === undefined || isOneOfSeveral ? `${nodeName ?? hostname()}/${process.pid}` : nodeName;
}
