import { DatabaseSync } from "node:sqlite";
import type { Findings } from "./findings.ts";
import { questionOf } from "./numbered-answer.ts";
import type { Numbered, RequestRecord } from "./request-record.ts";
import { messagesOf, seenVoices } from "./seen-texts.ts";

type Row = Readonly<Record<string, string | number | null>>;
/** An event as the log keeps it, read without the server's own code. */
type KeptEvent = { readonly type: string; readonly [field: string]: unknown };

/** How many rows lie on the disk. */
export interface DiskCounts {
  readonly storedTurns: number;
  readonly storedMessages: number;
  readonly journalRows: number;
}

/** Holds the database of a stopped server against what its clients saw. */
export function checkDisk(file: string, records: readonly RequestRecord[], findings: Findings): DiskCounts {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = (sql: string) => database.prepare(sql).all() as Row[];
    const turns = rows("SELECT * FROM turns");
    const journal = rows("SELECT * FROM journal ORDER BY beat");
    const messages = rows("SELECT * FROM messages ORDER BY rowid");
    const conversations = rows("SELECT * FROM conversations");
    const logs = checkLogs(turns, records, findings);
    checkJournal(journal, logs, findings);
    checkMessages(messages, records, findings);
    checkHeads(conversations, messages, findings);
    return { storedTurns: turns.length, storedMessages: messages.length, journalRows: journal.length };
  } finally {
    database.close();
  }
}

/** Every turn has ended, and its log says event for event what was seen; returns the logs by the turns' numbers. */
function checkLogs(
  turns: readonly Row[],
  records: readonly RequestRecord[],
  findings: Findings,
): Map<number, KeptEvent[]> {
  const byId = new Map(turns.map((turn) => [String(turn.id), turn]));
  const logs = new Map<number, KeptEvent[]>();
  for (const turn of turns) {
    if (turn.ended_at_ms === null || turn.log === null) {
      findings.note("missing terminals", `${turn.id} has no end on disk`);
      continue;
    }
    logs.set(Number(turn.number), JSON.parse(String(turn.log)) as KeptEvent[]);
  }
  for (const record of records) {
    const log = logs.get(Number(byId.get(record.ask.id)?.number)) ?? [];
    const kept = log.map(gistOfEvent);
    const seen = messagesOf(record).map(gistOfMessage);
    const differs = kept.length !== seen.length || kept.some((gist, index) => gist !== seen[index]);
    if (differs)
      findings.note("wrong logs on disk", `${record.ask.id}: ${kept.length} kept, ${seen.length} seen`);
  }
  return logs;
}

/** What of the journal is still there says the same as the logs. */
function checkJournal(
  journal: readonly Row[],
  logs: ReadonlyMap<number, readonly KeptEvent[]>,
  findings: Findings,
): void {
  for (const { entries } of journal) {
    for (const [turn, firstSeq, events] of JSON.parse(String(entries)) as [number, number, KeptEvent[]][]) {
      const log = logs.get(turn)?.slice(firstSeq - 1, firstSeq - 1 + events.length);
      if (JSON.stringify(log) !== JSON.stringify(events))
        findings.note("wrong journal entries", `turn ${turn} from ${firstSeq}: ${JSON.stringify(events)}`);
    }
  }
}

/** A question is stored once, every voice's text as it was shown, and partial ones are marked. */
function checkMessages(
  messages: readonly Row[],
  records: readonly RequestRecord[],
  findings: Findings,
): void {
  const byRequest = Map.groupBy(messages, ({ request_id }) => String(request_id));
  for (const record of records) {
    const { ask } = record;
    if (ask.frame.type === "openai_chat") continue;
    const stored = byRequest.get(ask.id) ?? [];
    const questions = stored.filter(({ role }) => role === "user");
    const seen = messagesOf(record);
    // Where nothing but the end was shown, the process died before the question was kept, or just after.
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
}

/** In conversations whose requests came one after another, every question follows the answers before it, and the head is the last. */
function checkHeads(conversations: readonly Row[], messages: readonly Row[], findings: Findings): void {
  const byConversation = Map.groupBy(messages, ({ conversation_id }) => String(conversation_id));
  for (const { id, head_id } of conversations) {
    let head: Row[string] = null;
    let previous: Row[string] = null;
    for (const message of byConversation.get(String(id)) ?? []) {
      const parent = message.role === "user" ? head : previous;
      if (message.parent_id !== (parent ?? null))
        findings.note(
          "wrong heads on disk",
          `${message.request_id} follows ${message.parent_id}, not ${parent}`,
        );
      if (message.role === "assistant") head = message.id ?? null;
      previous = message.id ?? null;
    }
    if (head_id !== head) findings.note("wrong heads on disk", `conversation ${id}: ${head_id}, not ${head}`);
  }
}

/** What an event and its frame have in common, as one text. */
function gistOfEvent(event: KeptEvent): string {
  const { type, lane, text, final, status } = event;
  if (type === "text") return gist("chunk", lane, text, final);
  if (type === "status") return gist("status", lane, status);
  if (type === "failure") return gist("error", lane, (event.error as { troupe_error?: string }).troupe_error);
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
  return message.type === "response" ? gist("response", message.status) : message.type;
}

function gist(...parts: unknown[]): string {
  return JSON.stringify(parts);
}
