import { readdirSync, readFileSync } from "node:fs";

/** A process and all its descendants. */
function familyOf(pid: number): number[] {
  const threads = readIfThere(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  const children = threads.flatMap((thread) =>
    (readIfThere(() => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")) ?? "")
      .split(" ")
      .filter((text) => text !== "")
      .map(Number),
  );
  return [pid, ...children.flatMap(familyOf)];
}

export interface ThreadTime {
  readonly id: string;
  readonly name: string;
  readonly cpuMs: number;
}

/** How long each thread of a process and its descendants has run, in user code and in the kernel. */
export function threadTimesOf(pid: number): ThreadTime[] {
  return familyOf(pid).flatMap((member) =>
    (readIfThere(() => readdirSync(`/proc/${member}/task`)) ?? []).map((id) => {
      const read = (file: string) =>
        readIfThere(() => readFileSync(`/proc/${member}/task/${id}/${file}`, "utf8"));
      // `schedstat` counts nanoseconds; utime and stime count hundredths of a second.
      const nanoseconds = Number(read("schedstat")?.split(" ")[0] ?? 0);
      return { id, name: read("comm")?.trim() ?? "", cpuMs: nanoseconds / 1_000_000 };
    }),
  );
}

/** Milliseconds that a process, its threads and its descendants have run. */
export function cpuMsOf(pid: number): number {
  return threadTimesOf(pid).reduce((sum, { cpuMs }) => sum + cpuMs, 0);
}

/** Bytes of memory that a process and its descendants hold. Shared memory counts once. */
export function memoryBytesOf(pid: number): number {
  let kibibytes = 0;
  for (const member of familyOf(pid)) {
    const text = readIfThere(() => readFileSync(`/proc/${member}/smaps_rollup`, "utf8")) ?? "";
    kibibytes += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
  }
  return kibibytes * 1_024;
}

/** A process or thread may be gone before its file is read. */
function readIfThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
