import type { PathMessage, StoredMessage } from "../../ports/conversation-store.ts";
import { type MessageItem, textMessage } from "../../ports/item.ts";
import type { Persona } from "../../ports/persona.ts";
import type { Speech } from "../ensemble/policy.ts";

/** Asks a persona to speak again after its own speech. */
const goOn = "(Please go on.)";

/** A full history is cut by a third, in blocks of a third. */
const blocksOfHistory = 3;

/**
 * The messages of a conversation that one persona gets. Its own lines stay its own; all other speakers are quoted under their names, so
 * that no line in a text can pass for another speaker's. The first message is always a user's, and none is empty. The newest texts are
 * taken whole, at most `maxChars` together, but always the last.
 */
export function personaContext(
  path: readonly PathMessage[],
  personaId: string,
  maxChars: number,
): MessageItem[] {
  const [first, ...rest] = path
    .slice(startOf(path, maxChars))
    .filter(({ text }) => text.trim() !== "")
    .map((message) => ({ message, seen: seenBy(personaId, message) }));
  if (first === undefined) return [];
  const { message, seen } = first;
  // Strict chat templates refuse a conversation that starts with an assistant.
  const opening = seen.role === "user" ? seen : quoted("You", message.text);
  return [opening, ...rest.map((one) => one.seen)];
}

/**
 * The index at which a persona's part of a path starts. A full history loses a third at once and then keeps its start until it is full
 * again. A vendor's prompt cache only reuses an equal start, so it would never hit if the start moved every turn. The start depends only
 * on the texts from the root on, so every process finds the same one.
 */
function startOf(path: readonly PathMessage[], maxChars: number): number {
  const told = path.reduce((chars, { text }) => chars + text.length, 0);
  const total = path.at(-1)?.pathChars ?? told;
  if (total <= maxChars) return 0;
  const block = Math.max(1, Math.floor(maxChars / blocksOfHistory));
  const cut = Math.ceil((total - maxChars) / block) * block;
  let before = total - told;
  let start: number | undefined;
  for (const [index, { role, text }] of path.entries()) {
    if (before >= cut) {
      start ??= index;
      // Leave out a whole turn rather than only its question, unless that costs more than another block.
      if (before < cut + block && role === "user") return index;
    }
    before += text.length;
  }
  return start ?? path.findLastIndex(({ text }) => text.trim() !== "");
}

/** The earlier speeches of a turn as its next speaker gets them. They end with a user's message, as a question does. */
export function heardSpeeches({ personaId, hears = [] }: Speech, cast: readonly Persona[]): MessageItem[] {
  const heard = hears
    .filter(({ text }) => text.trim() !== "")
    .map(({ speech, text }) => {
      if (speech.personaId === personaId) return textMessage("assistant", text);
      return quoted(cast.find(({ id }) => id === speech.personaId)?.name ?? speech.personaId, text);
    });
  return heard.at(-1)?.role === "assistant" ? [...heard, textMessage("user", goOn)] : heard;
}

function seenBy(personaId: string, message: StoredMessage): MessageItem {
  if (message.role === "user") return textMessage("user", message.text);
  if (message.personaId === personaId) return textMessage("assistant", message.text);
  return quoted(message.personaName ?? message.personaId ?? "Someone", message.text);
}

function quoted(name: string, text: string): MessageItem {
  const quotation = `> ${text.replace(/\r\n|[\n\r\u0085\u2028\u2029]/g, "\n> ")}`;
  return textMessage("user", `(${name} answered:)\n${quotation}`);
}

/**
 * Names the other personas that answer the same message; `undefined` for a persona that answers alone. It is not part of the persona's
 * instructions: these come before the history, and another cast would change every word after them for a prompt cache.
 */
export function castNote(persona: Persona, cast: readonly Persona[]): string | undefined {
  const others = cast.filter((other) => other.id !== persona.id).map((other) => other.name);
  if (others.length === 0) return undefined;
  return `Also answering this message, each on their own: ${others.join(", ")}. Speak only as ${persona.name}.`;
}
