import type { CountingUpstream } from "./counting-upstream.ts";
import { checkDisk, type DiskCounts } from "./disk-check.ts";
import type { Findings } from "./findings.ts";
import { checkReplays } from "./replay-check.ts";
import type { RequestRecord } from "./request-record.ts";
import type { ServerProcess } from "./server-process.ts";
import { checkRequests, type Endings } from "./verdict.ts";

export interface FinishedRun {
  readonly records: readonly RequestRecord[];
  readonly upstream: CountingUpstream;
  /** Still there; it is stopped in the middle of this. */
  readonly server: ServerProcess;
  /** Its database. */
  readonly file: string;
  readonly findings: Findings;
  /** Lines of the log that are as they should be. Default: none. */
  readonly isExpected?: (fault: string) => boolean;
}

/** Holds against each other what was seen, what a replay gives, what lies on the disk, and what the server logged. */
export async function judgeRun(
  run: FinishedRun,
): Promise<Endings & { "provider calls": number } & DiskCounts> {
  const { records, upstream, server, file, findings, isExpected = () => false } = run;
  const endings = checkRequests(records, upstream, findings);
  await checkReplays(server.url ?? "", records, findings);
  const code = await server.stop();
  if (code !== 0) findings.note("faults in the server's log", `status ${code} at the end`);
  for (const fault of server.faults)
    if (!isExpected(fault)) findings.note("faults in the server's log", fault);
  return { ...endings, "provider calls": upstream.calls, ...checkDisk(file, records, findings) };
}
