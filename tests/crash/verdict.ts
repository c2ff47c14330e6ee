import type { CountingUpstream } from "./counting-upstream.ts";
import type { Findings } from "./findings.ts";
import { answerTo } from "./numbered-answer.ts";
import type { Numbered, RequestRecord } from "./request-record.ts";
import { checkTexts, messagesOf, seenVoices } from "./seen-texts.ts";

/** How often a turn may be answered anew (PROTOCOL.md). */
const mostRestarts = 3;

/** How the requests of a run ended. */
export interface Endings {
  readonly requests: number;
  readonly messages: number;
  readonly completed: number;
  readonly interrupted: number;
  /** Resets behind which something was answered anew. */
  readonly restarts: number;
  /** Requests that were answered anew to their end. */
  readonly restarted: number;
  /** Reads of responses in the background that went on behind an event, and requests that ended after one. */
  readonly continuations: number;
  readonly continued: number;
  readonly otherEnds: number;
}

/** Judges what was seen of every request by itself, and the calls that it cost. */
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

/** It was cut off for good although the next process could go on with it: it had said something, or could be answered anew. */
function isGivenUp({ ask }: RequestRecord, messages: readonly Numbered[], resets: number): boolean {
  const voices = seenVoices(ask, messages);
  if (ask.outlasts === "continued") return voices.some(({ text }) => text !== "");
  // An answer that has had its last chunk is not made again.
  const isWhole = voices.every(({ voice, text }) => text === answerTo(ask.id, voice));
  return ask.outlasts === "anew" && resets < mostRestarts && !isWhole;
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
