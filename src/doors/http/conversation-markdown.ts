import type { ConversationSummary, DatedMessage, MessagePiece } from "../../ports/conversation-store.ts";

/** Max characters that a reply quotes of a message further above. */
const quoteChars = 80;

const statusNotes = {
  completed: "",
  failed: ", incomplete: it failed",
  cancelled: ", incomplete: it was stopped",
} as const;

/** The first characters of a message's text; `undefined` if there is no such message. */
type BeginningOf = (messageId: string, maxChars: number) => Promise<string | undefined>;

/**
 * A whole conversation as Markdown, oldest message first, in pieces. Texts are quoted line by line, so that no line can pass for another
 * speaker's. If a message does not follow the one above it, its head quotes the message that it follows.
 */
export async function* conversationMarkdown(
  { title }: ConversationSummary,
  pieces: AsyncIterable<MessagePiece>,
  beginningOf: BeginningOf,
): AsyncGenerator<string> {
  yield `# ${title === "" ? "Conversation" : plainText(title)}\n`;
  let above: string | undefined;
  let quote = new Quote();
  for await (const { message, goesOn, isLast } of pieces) {
    let head = "";
    if (!goesOn) {
      quote = new Quote();
      head = headOf(message, await branchOf(message, above, beginningOf)) + quote.start();
    }
    yield head + quote.add(message.text) + (isLast ? "\n" : "");
    above = message.id;
  }
}

/** Names the message that a message follows, unless that is the one above it. */
async function branchOf(
  { parentId }: DatedMessage,
  above: string | undefined,
  beginningOf: BeginningOf,
): Promise<string> {
  if (parentId === above) return "";
  const text = parentId === undefined ? "" : ((await beginningOf(parentId, 10 * quoteChars)) ?? "");
  if (text === "") return ", a new start";
  const beginning = plainText([...text].slice(0, quoteChars).join(""));
  return `, following “${beginning}…”`;
}

function headOf({ role, personaId, personaName, status, createdAtMs }: DatedMessage, branch: string): string {
  const speaker = role === "user" ? "You" : plainText(personaName ?? personaId ?? "Answer");
  const time = new Date(createdAtMs).toISOString().replace("T", " ").slice(0, 19);
  return `\n## ${speaker}\n\n*${time} UTC${statusNotes[status]}${branch}*\n\n`;
}

/** Turns a text into lines of a quote. Its pieces may end anywhere. */
class Quote {
  #isLineEmpty = true;
  #endedWithReturn = false;

  start(): string {
    return ">";
  }

  add(piece: string): string {
    // The two characters of a line end may come in different pieces.
    const text = this.#endedWithReturn && piece.startsWith("\n") ? piece.slice(1) : piece;
    if (piece !== "") this.#endedWithReturn = piece.endsWith("\r");
    const lines = text.split(/\r\n?|[\n\u2028\u2029]/);
    const quoted = lines.map((line, index) => {
      if (index > 0) this.#isLineEmpty = true;
      const space = this.#isLineEmpty && line !== "" ? " " : "";
      if (line !== "") this.#isLineEmpty = false;
      return space + line;
    });
    return quoted.join("\n>");
  }
}

/** A text on one line, with Markdown's special characters escaped. */
function plainText(text: string): string {
  return text
    .replace(/\s+/gu, " ")
    .trim()
    .replace(/[\\`*_[\]<>#&|~!()]/g, "\\$&");
}

const nameChars = 80;

/**
 * A `content-disposition` that saves a document under its title: in plain ASCII for every client, and in full for clients with RFC 8187.
 * Neither form has a path, a quote or a control character.
 */
export function attachment(title: string, extension: string): string {
  const plain = title
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .slice(0, nameChars)
    .replace(/^-+|-+$/g, "");
  const full = [...title.replace(/[\p{C}\p{Z}/\\:*?"<>|]+/gu, " ")]
    .slice(0, nameChars)
    .join("")
    .replace(/^[ .]+|[ .]+$/g, "");
  const name = (base: string) => `${base || "conversation"}.${extension}`;
  return `attachment; filename="${name(plain)}"; filename*=UTF-8''${encodeExtended(name(full))}`;
}

/** Also escapes the characters that `encodeURIComponent` keeps and the grammar of RFC 8187 forbids. */
function encodeExtended(name: string): string {
  return encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
