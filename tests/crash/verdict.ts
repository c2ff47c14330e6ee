import type { CountingUpstream } from "./counting-upstream.ts";
import type { Findings } from "./findings.ts";
import { answerTo } from "./numbered-answer.ts";
import type { Numbered, RequestRecord } from "./request-record.ts";
import { checkTexts, messagesOf, seenVoices } from "./seen-texts.ts";

/** Maximum number of times that a turn may be answered again (PROTOCOL.md). */
const maxRestarts = 3;

/** How the requests of a run ended. */
export interface Endings {
  readonly requests: number;
  readonly messages: number;
  readonly completed: number;
  readonly interrupted: number;
  /** Resets that were followed by a new answer. */
  readonly restarts: number;
  /** Requests that were answered again and reached their end. */
  readonly restarted: number;
  /** Reads that continued a background response after an event, and requests that ended after such a read. */
  readonly continuations: number;
  readonly continued: number;
  readonly otherEnds: number;
}

/** Judges the record of every request by itself, and the provider calls that it caused. */
export function checkRequests(
  records: readonly RequestRecord[],
  upstream: CountingUpstream,
  findings: Findings,
): Endings {
  const endings = {
    ...{ requests: records.length, messages: 0, completed: 0, interrupted: 0, otherEnds: 0 },
    ...{ restarts: 0, restarted: 0, continuations: upstream.continuations, continued: 0 },
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
    if (end?.type === "response" && resets > 0) endings.restarted += 1;
    if (end?.type === "response" && upstream.continuedFor(id)) endings.continued += 1;
    if (end?.type === "error" && end.code === "interrupted" && isGivenUp(record, messages, resets))
      findings.note("given up", `${id} after ${messages.length} messages and ${resets} resets`);
    if (resets > 0 && outlasts !== "anew") findings.note("changed", `${id} was answered anew`);
    for (const voice of voices) {
      const calls = upstream.callsFor(id, voice);
      if (calls > 1 + resets) findings.note("repeated provider calls", `${id}/${voice}: ${calls} calls`);
    }
  }
  return endings;
}

/**
 * True if the request was ended although the next process could have gone on with it: by continuing its text, or by
 * answering it again.
 */
function isGivenUp({ ask }: RequestRecord, messages: readonly Numbered[], resets: number): boolean {
  const voices = seenVoices(ask, messages);
  if (ask.outlasts === "continued") return voices.some(({ text }) => text !== "");
  // An answer that has had its last chunk is not made again.
  const isWhole = voices.every(({ voice, text }) => text === answerTo(ask.id, voice));
  return ask.outlasts === "anew" && resets < maxRestarts && !isWhole;
}

/** Checks that exactly one terminal message arrived, and that it was the last. */
export function checkTerminal(
  { ask, terminalSeq }: RequestRecord,
  messages: readonly Numbered[],
  findings: Findings,
): void {
  if (terminalSeq === undefined)
    findings.note("missing terminals", `${ask.id} after ${messages.length} messages`);
  else if (terminalSeq !== messages.at(-1)?.seq) findings.note("second terminals", `${ask.id}: not the last`);
}

/** Formats a run's figures, one per line, and then its findings, all of which should be 0. */
export function formatRun(figures: Readonly<Record<string, number | string>>, findings: Findings): string {
  const rows = formatRows([...Object.entries(figures), ...findings.rows()]);
  return [rows, ...findings.examples.map((example) => `  ${example}`)].join("\n");
}

/** Names with their values in two columns, between empty lines. */
export function formatRows(rows: readonly (readonly [string, number | string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return ["", ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`), ""].join("\n");
}
