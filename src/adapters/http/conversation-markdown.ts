import type { ConversationSummary, DatedMessage } from "../../ports/conversation-store.ts";

/** How much of a message another one quotes that answers it from further away, characters. */
const quoteChars = 80;

const statusNotes = {
  completed: "",
  failed: ", incomplete: it failed",
  cancelled: ", incomplete: it was stopped",
} as const;

/**
 * A whole conversation for reading, oldest message first, in pieces. Texts are quoted line by line, so that no line of a text can
 * pass for another speaker's; a message that does not follow the one above it says which it follows.
 */
export function* conversationMarkdown(
  { title }: ConversationSummary,
  messages: readonly DatedMessage[],
): Iterable<string> {
  yield `# ${title === "" ? "Conversation" : plainText(title)}\n`;
  const texts = new Map(messages.map(({ id, text }) => [id, text]));
  let above: string | undefined;
  for (const message of messages) {
    yield section(
      message,
      message.parentId === above ? undefined : (texts.get(message.parentId ?? "") ?? ""),
    );
    above = message.id;
  }
}

/** `follows` is the text that it follows where that is not the one above it; empty where it follows none. */
function section(message: DatedMessage, follows: string | undefined): string {
  const { role, personaId, personaName, status, createdAtMs, text } = message;
  const speaker = role === "user" ? "You" : plainText(personaName ?? personaId ?? "Answer");
  const time = new Date(createdAtMs).toISOString().replace("T", " ").slice(0, 19);
  const beginning = plainText([...(follows ?? "").slice(0, 10 * quoteChars)].slice(0, quoteChars).join(""));
  const branch =
    follows === undefined ? "" : follows === "" ? ", beginning anew" : `, following “${beginning}…”`;
  const quoted = text
    .split(/\r\n?|[\n\u2028\u2029]/)
    .map((line) => (line === "" ? ">" : `> ${line}`))
    .join("\n");
  return `\n## ${speaker}\n\n*${time} UTC${statusNotes[status]}${branch}*\n\n${quoted}\n`;
}

/** On one line, with nothing that Markdown would take for its own. */
function plainText(text: string): string {
  return text
    .replace(/\s+/gu, " ")
    .trim()
    .replace(/[\\`*_[\]<>#&|~!()]/g, "\\$&");
}
