import { readFile } from "node:fs/promises";
import { z } from "zod";

/** The used part of the file that `--cpu-prof` writes (Chrome's DevTools protocol, Profiler.Profile). */
const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  /** Microseconds of the system's monotonic time. */
  startTime: z.number(),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/** A function and the time spent in it, without the functions that it called. */
export interface FunctionTime {
  readonly name: string;
  /** Its file from the root, or Node's name for it. */
  readonly file: string;
  readonly line: number;
  readonly selfUs: number;
}

/** The functions of one thread between two moments, the most expensive first. Waiting is left out. */
export async function readProfile(
  file: string,
  { fromMs, untilMs, root }: { fromMs: number; untilMs: number; root: string },
): Promise<FunctionTime[]> {
  const { nodes, startTime, samples, timeDeltas } = profileSchema.parse(
    JSON.parse(await readFile(file, "utf8")),
  );
  const byNode = new Map<number, number>();
  let atUs = startTime;
  for (const [index, node] of samples.entries()) {
    // A delta is the time before its sample, during which the previous sample was running.
    atUs += timeDeltas[index] ?? 0;
    const lastsUs = timeDeltas[index + 1] ?? 0;
    if (atUs >= fromMs * 1_000 && atUs < untilMs * 1_000) byNode.set(node, (byNode.get(node) ?? 0) + lastsUs);
  }
  const byFunction = new Map<string, FunctionTime>();
  for (const { id, callFrame } of nodes) {
    const { functionName: name, url, lineNumber } = callFrame;
    const selfUs = byNode.get(id) ?? 0;
    if (selfUs === 0 || name === "(idle)") continue;
    const path = url === "" ? "(native)" : url.replace(`file://${root}/`, "");
    const key = `${name} ${path}:${lineNumber}`;
    const earlier = byFunction.get(key)?.selfUs ?? 0;
    byFunction.set(key, {
      name: name || "(anonymous)",
      file: path,
      line: lineNumber + 1,
      selfUs: earlier + selfUs,
    });
  }
  return [...byFunction.values()].sort((a, b) => b.selfUs - a.selfUs);
}
