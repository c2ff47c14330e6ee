import type { StoredMessage } from "../ports/conversation-store.ts";
import type { Persona } from "../ports/persona.ts";
import type { ProviderMessage } from "../ports/provider.ts";

/**
 * What one persona is given of a conversation: its own lines as its own, everyone else's quoted under their names, so that no
 * line in a text can pass for another speaker's. The newest messages that fit into `mostChars`, whole ones, and always the last.
 */
export function personaContext(
  path: readonly StoredMessage[],
  personaId: string,
  mostChars: number,
): ProviderMessage[] {
  const context: ProviderMessage[] = [];
  let chars = 0;
  for (const message of path.toReversed()) {
    chars += message.text.length;
    if (context.length > 0 && chars > mostChars) break;
    if (message.text !== "") context.unshift(seenBy(personaId, message));
  }
  return context;
}

function seenBy(personaId: string, message: StoredMessage): ProviderMessage {
  if (message.role === "user") return { role: "user", text: message.text };
  if (message.personaId === personaId) return { role: "assistant", text: message.text };
  const name = message.personaName ?? message.personaId ?? "Someone";
  return { role: "user", text: `(${name} answered:)\n${quote(message.text)}` };
}

function quote(text: string): string {
  return `> ${text.replace(/\r\n|[\n\r\u0085\u2028\u2029]/g, "\n> ")}`;
}

/** The persona's own instructions first and unchanged, which lets a provider's prompt cache hold them; then who else answers. */
export function personaInstructions(persona: Persona, cast: readonly Persona[]): string {
  const others = cast.filter((other) => other.id !== persona.id).map((other) => other.name);
  if (others.length === 0) return persona.instructions;
  return `${persona.instructions}\n\nAlso answering this message, each on their own: ${others.join(", ")}. Speak only as ${persona.name}.`;
}
