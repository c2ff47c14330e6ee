import { readFileSync } from "node:fs";
import type { ParentProcess } from "./stop-on-signals.ts";

/** Shells that stay between a script runner and its program. Other shells replace themselves with the program. */
const shells = /^(sh|dash|ash|bash|ksh|zsh|busybox)$/;

/**
 * The runner that started this process (npm, pnpm, yarn), which it must not outlive. `undefined` if a person or a service manager started
 * it, because they may well exit first.
 */
export function findRunner(env: NodeJS.ProcessEnv): ParentProcess | undefined {
  if (env.npm_lifecycle_event === undefined) return undefined;
  const parent = process.ppid;
  const hasShell = shells.test(read(parent, "comm")?.trim() ?? "");
  return {
    // A runner that is killed leaves its shell, which waits for this process.
    id: () => (hasShell && process.ppid === parent ? `${parent} ${parentOf(parent)}` : `${process.ppid}`),
    every: (ms, callback) => void setInterval(callback, ms).unref(),
  };
}

/** Only Linux has such a file; on other systems only the shell is watched. */
function parentOf(pid: number): string | undefined {
  return read(pid, "status")?.match(/^PPid:\s*(\d+)/m)?.[1];
}

function read(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined; // Another system, or the process has ended.
  }
}
