import type { CountingUpstream } from "./counting-upstream.ts";
import type { Findings } from "./findings.ts";
import type { Numbered, RequestRecord } from "./request-record.ts";
import { checkTexts, messagesOf } from "./seen-texts.ts";

/** How the requests of a run ended. */
export interface Endings {
  readonly requests: number;
  readonly messages: number;
  readonly completed: number;
  readonly interrupted: number;
  /** Resets behind which something was answered anew. */
  readonly restarts: number;
  /** How often a response in the background was gone on with. */
  readonly continuations: number;
  readonly otherEnds: number;
}

/** Judges what was seen of every request by itself, and the calls that it cost. */
export function checkRequests(
  records: readonly RequestRecord[],
  upstream: CountingUpstream,
  findings: Findings,
): Endings {
  const endings = {
    ...{ requests: records.length, messages: 0, completed: 0, interrupted: 0, otherEnds: 0, restarts: 0 },
    continuations: upstream.continuations,
  };
  for (const record of records) {
    const { id, voices, outlasts } = record.ask;
    const messages = messagesOf(record);
    const end = messages.at(-1);
    endings.messages += messages.length;
    checkTexts(record, messages, findings);
    if (end?.type === "response") endings.completed += 1;
    else if (end?.type === "error" && end.code === "interrupted") endings.interrupted += 1;
    else endings.otherEnds += 1;
    checkTerminal(record, messages, findings);
    const resets = messages.filter(({ type }) => type === "reset").length;
    endings.restarts += resets;
    if (resets > 0 && outlasts !== "anew") findings.note("changed", `${id} was answered anew`);
    for (const voice of voices) {
      const calls = upstream.callsFor(id, voice);
      if (calls > 1 + resets) findings.note("repeated provider calls", `${id}/${voice}: ${calls} calls`);
    }
  }
  return endings;
}

/** Exactly one terminal message came, and it was the last. */
export function checkTerminal(
  { ask, terminalSeq }: RequestRecord,
  messages: readonly Numbered[],
  findings: Findings,
): void {
  if (terminalSeq === undefined)
    findings.note("missing terminals", `${ask.id} after ${messages.length} messages`);
  else if (terminalSeq !== messages.at(-1)?.seq) findings.note("second terminals", `${ask.id}: not the last`);
}

/** A run's figures, one a line, then what was found, all of which should be 0. */
export function formatRun(figures: Readonly<Record<string, number | string>>, findings: Findings): string {
  const rows = formatRows([...Object.entries(figures), ...findings.rows()]);
  return [rows, ...findings.examples.map((example) => `  ${example}`)].join("\n");
}

/** Names with their values in two columns, between empty lines. */
export function formatRows(rows: readonly (readonly [string, number | string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return ["", ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`), ""].join("\n");
}
