import type { PathMessage, StoredMessage } from "../ports/conversation-store.ts";
import type { Persona } from "../ports/persona.ts";
import type { ProviderMessage } from "../ports/provider.ts";

/** A history that is full is cut to two thirds, so it is cut in blocks of a third. */
const blocksOfHistory = 3;

/**
 * What one persona is given of a conversation: its own lines as its own, everyone else's quoted under their names, so that no
 * line in a text can pass for another speaker's. The first message is always a user's, and none is without words.
 * It has at most `maxChars` of the newest texts, whole ones, and always the last.
 */
export function personaContext(
  path: readonly PathMessage[],
  personaId: string,
  maxChars: number,
): ProviderMessage[] {
  const [first, ...rest] = path
    .slice(startOf(path, maxChars))
    .filter(({ text }) => text.trim() !== "")
    .map((message) => ({ message, seen: seenBy(personaId, message) }));
  if (first === undefined) return [];
  const { message, seen } = first;
  // Strict chat templates refuse a conversation that an assistant begins.
  const opening = seen.role === "user" ? seen : quoted("You", message.text);
  return [opening, ...rest.map((one) => one.seen)];
}

/**
 * Where the part of a path that a persona is told begins. A history that is full loses a third at once and then keeps its start until
 * it is full again: a vendor's prompt cache holds what begins with the same words, and a start that moves with every turn is never held.
 * The start depends on nothing but the texts from the root on, so every process finds the same one.
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
      // A whole turn is left out rather than its question alone, unless that costs more than another block.
      if (before < cut + block && role === "user") return index;
    }
    before += text.length;
  }
  return start ?? path.findLastIndex(({ text }) => text.trim() !== "");
}

function seenBy(personaId: string, message: StoredMessage): ProviderMessage {
  if (message.role === "user") return { role: "user", text: message.text };
  if (message.personaId === personaId) return { role: "assistant", text: message.text };
  return quoted(message.personaName ?? message.personaId ?? "Someone", message.text);
}

function quoted(name: string, text: string): ProviderMessage {
  const quotation = `> ${text.replace(/\r\n|[\n\r\u0085\u2028\u2029]/g, "\n> ")}`;
  return { role: "user", text: `(${name} answered:)\n${quotation}` };
}

/**
 * Who else answers this message, for a persona that does not answer alone. It is no part of the persona's instructions: these come
 * before the history, and another cast would change every word after them for a prompt cache.
 */
export function castNote(persona: Persona, cast: readonly Persona[]): string | undefined {
  const others = cast.filter((other) => other.id !== persona.id).map((other) => other.name);
  if (others.length === 0) return undefined;
  return `Also answering this message, each on their own: ${others.join(", ")}. Speak only as ${persona.name}.`;
}
