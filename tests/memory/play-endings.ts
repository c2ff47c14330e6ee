import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** What the heap held while requests ended in one way. */
export interface PlayedEnding {
  readonly name: string;
  /** Bytes, looked at after equal numbers of requests. */
  readonly heaps: readonly number[];
  readonly tookMs: number;
}

const program = fileURLToPath(new URL("./endings-program.ts", import.meta.url));

/** Lets requests of 1 MB end in these ways, in a process of its own whose heap is at most 256 MiB. */
export async function playEndings(
  names: readonly string[],
  { requests, looks }: { readonly requests: number; readonly looks: number },
): Promise<PlayedEnding[]> {
  const options = ["--max-old-space-size=256", "--expose-gc", "--conditions=troupe-source"];
  const args = [...options, program, String(requests), String(looks), ...names];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as PlayedEnding);
}
