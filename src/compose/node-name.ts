import { hostname } from "node:os";
import type { Settings } from "./settings.ts";

/** The name of this server among others. */
export function nodeNameOf({ nodeName }: Pick<Settings, "nodeName">): string {
  return nodeName ?? `${hostname()}/${process.pid}`;
}
