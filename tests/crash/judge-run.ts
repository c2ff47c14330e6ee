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
  /** The server, still running. Judging stops it halfway through. */
  readonly server: ServerProcess;
  /** The server's database file. */
  readonly file: string;
  readonly findings: Findings;
  /** Matches expected lines of the log. Default: none are expected. */
  readonly isExpected?: (fault: string) => boolean;
}

/** Compares the frames seen, a replay, the content of the disk, and the server's log. */
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
