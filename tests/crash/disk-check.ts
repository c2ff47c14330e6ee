import { openBeside } from "../support/open-beside.ts";
import type { Findings } from "./findings.ts";
import { questionOf } from "./numbered-answer.ts";
import type { Numbered, RequestRecord } from "./request-record.ts";
import { messagesOf, seenVoices } from "./seen-texts.ts";

type Row = Readonly<Record<string, string | number | null>>;
/** An event as the log stores it, read without the server's own code. */
type KeptEvent = { readonly type: string; readonly [field: string]: unknown };

/** A part of a turn in the journal. */
interface JournalledEvents {
  readonly firstSeq: number;
  readonly events: readonly KeptEvent[];
}

/** Numbers of rows on the disk. */
export interface DiskCounts {
  readonly storedTurns: number;
  readonly storedMessages: number;
  readonly journalRows: number;
}

/**
 * Compares the database of a stopped server with the records of its clients, row by row, so neither has to fit into
 * memory.
 */
export function checkDisk(file: string, records: readonly RequestRecord[], findings: Findings): DiskCounts {
  const database = openBeside(file, { readOnly: true });
  try {
    const rows = (sql: string) => database.prepare(sql).iterate() as Iterable<Row>;
    const byId = new Map(records.map((record) => [record.ask.id, record]));
    const journal = [...rows("SELECT entries FROM journal ORDER BY beat")];
    const journalled = new Map<number, JournalledEvents[]>();
    for (const { entries } of journal) {
      for (const [turn, firstSeq, events] of JSON.parse(String(entries)) as [number, number, KeptEvent[]][])
        journalled.set(turn, [...(journalled.get(turn) ?? []), { firstSeq, events }]);
    }
    const storedTurns = checkLogs(rows("SELECT number, id, ended_at_ms, log FROM turns"), {
      byId,
      journalled,
      findings,
    });
    const storedMessages = checkMessages(
      rows("SELECT * FROM messages ORDER BY request_id, number"),
      byId,
      findings,
    );
    checkHeads(
      rows(`SELECT conversations.id AS conversation_id, head_id, messages.id, parent_id, role, request_id
        FROM conversations LEFT JOIN messages ON conversation_id = conversations.id ORDER BY conversation_id, number`),
      findings,
    );
    return { storedTurns, storedMessages, journalRows: journal.length };
  } finally {
    database.close();
  }
}

/** Every turn has ended, its log matches the frames seen event for event, and the rest of the journal agrees. */
function checkLogs(
  turns: Iterable<Row>,
  {
    byId,
    journalled,
    findings,
  }: {
    byId: ReadonlyMap<string, RequestRecord>;
    journalled: ReadonlyMap<number, readonly JournalledEvents[]>;
    findings: Findings;
  },
): number {
  const unkept = new Set(byId.values());
  const unknown = new Set(journalled.keys());
  let count = 0;
  for (const { number, id, ended_at_ms, log } of turns) {
    count += 1;
    if (ended_at_ms === null || log === null) findings.note("missing terminals", `${id} has no end on disk`);
    const events = JSON.parse(String(log ?? "[]")) as KeptEvent[];
    for (const { firstSeq, events: kept } of journalled.get(Number(number)) ?? []) {
      if (JSON.stringify(events.slice(firstSeq - 1, firstSeq - 1 + kept.length)) !== JSON.stringify(kept))
        findings.note("wrong journal entries", `${id} from ${firstSeq}: ${JSON.stringify(kept)}`);
    }
    unknown.delete(Number(number));
    const record = byId.get(String(id));
    if (record === undefined) continue;
    unkept.delete(record);
    compareLog(record, events, findings);
  }
  for (const record of unkept) compareLog(record, [], findings);
  for (const turn of unknown) findings.note("wrong journal entries", `turn ${turn} has no row`);
  return count;
}

function compareLog(record: RequestRecord, log: readonly KeptEvent[], findings: Findings): void {
  const kept = log.map(gistOfEvent);
  const seen = messagesOf(record).map(gistOfMessage);
  const differs = kept.length !== seen.length || kept.some((gist, index) => gist !== seen[index]);
  if (differs)
    findings.note("wrong logs on disk", `${record.ask.id}: ${kept.length} kept, ${seen.length} seen`);
}

/** Each question is stored once. Every voice's text is stored as it was shown, and partial texts are marked. */
function checkMessages(
  messages: Iterable<Row>,
  byId: ReadonlyMap<string, RequestRecord>,
  findings: Findings,
): number {
  const unkept = new Set(byId.values());
  let count = 0;
  for (const stored of groupsOf(messages, "request_id")) {
    count += stored.length;
    const record = byId.get(String(stored[0]?.request_id));
    if (record === undefined) continue;
    unkept.delete(record);
    compareMessages(record, stored, findings);
  }
  for (const record of unkept) compareMessages(record, [], findings);
  return count;
}

function compareMessages(record: RequestRecord, stored: readonly Row[], findings: Findings): void {
  const { ask } = record;
  if (ask.frame.type === "openai_chat") return;
  const questions = stored.filter(({ role }) => role === "user");
  const seen = messagesOf(record);
  // If only the end was shown, the process died before or just after the question was stored.
  const isRight = questions.length === 1 || (questions.length === 0 && seen.length === 1);
  if (!isRight || questions.some(({ text }) => text !== questionOf(ask.id)))
    findings.note("wrong questions on disk", `${ask.id}: ${JSON.stringify(questions)}`);
  const isWhole = seen.at(-1)?.type === "response";
  for (const { voice, text, told } of seenVoices(ask, seen)) {
    const answers = stored.filter(({ persona_id }) => persona_id === voice);
    const status = isWhole ? "completed" : (told ?? "failed");
    const [answer] = answers;
    const fits =
      text === ""
        ? answers.length === 0
        : answers.length === 1 && answer?.text === text && answer.status === status;
    if (!fits)
      findings.note("wrong messages on disk", `${ask.id}/${voice} ${status}: ${JSON.stringify(answers)}`);
  }
}

/**
 * If a conversation's requests came one after another, every question follows the earlier answers, and the head is the
 * last one.
 */
function checkHeads(messages: Iterable<Row>, findings: Findings): void {
  for (const conversation of groupsOf(messages, "conversation_id")) {
    let head: Row[string] = null;
    let previous: Row[string] = null;
    for (const { id = null, parent_id, role, request_id } of conversation) {
      const parent = role === "user" ? head : previous;
      if (parent_id !== parent)
        findings.note("wrong heads on disk", `${request_id} follows ${parent_id}, not ${parent}`);
      if (role === "assistant") head = id;
      previous = id;
    }
    const [{ conversation_id, head_id } = {}] = conversation;
    if (head_id !== head)
      findings.note("wrong heads on disk", `conversation ${conversation_id}: ${head_id}, not ${head}`);
  }
}

/** Groups of neighbouring rows with the same value in a column. */
function* groupsOf(rows: Iterable<Row>, column: string): Generator<Row[]> {
  let group: Row[] = [];
  for (const row of rows) {
    if (group.length > 0 && group[0]?.[column] !== row[column]) {
      yield group;
      group = [];
    }
    group.push(row);
  }
  if (group.length > 0) yield group;
}

/** The common content of an event and its frame, as one text. */
function gistOfEvent(event: KeptEvent): string {
  const { type, lane, text, final, status } = event;
  if (type === "text") return gist("chunk", lane, text, final);
  if (type === "status") return gist("status", lane, status);
  if (type === "failure") return gist("error", lane, (event.error as { troupe_error?: string }).troupe_error);
  if (type === "reset") return gist("reset");
  const answer = event.answer as { persona?: { id: string }; text?: string };
  if (type === "lane-answer") return gist("persona_response", answer.persona?.id, answer.text);
  return gist("response", status);
}

function gistOfMessage(message: Numbered): string {
  const lane = "persona_id" in message ? message.persona_id : undefined;
  if (message.type === "chunk") return gist("chunk", lane, message.chunk, message.is_final);
  if (message.type === "status") return gist("status", lane, message.status);
  if (message.type === "error") return gist("error", lane, message.code);
  if (message.type === "persona_response") return gist("persona_response", lane, message.response);
  return message.type === "response" ? gist("response", message.status) : gist(message.type);
}

function gist(...parts: unknown[]): string {
  return JSON.stringify(parts);
}
