import { charsOf, type PathMessage, type StoredMessage } from "../../ports/conversation-store.ts";
import { type Item, type MessageItem, textMessage, textOf } from "../../ports/item.ts";
import type { Persona } from "../../ports/persona.ts";
import type { ProviderChoice, ProviderRequest } from "../../ports/provider.ts";
import type { TurnRequest } from "../../ports/turn-request.ts";
import type { ChatDependencies } from "../chat-context.ts";
import type { ConversationTurn } from "../ensemble/conversation-turn.ts";
import type { Speech } from "../ensemble/policy.ts";

/** OpenAI accepts at most 64 characters. */
const cacheKeyChars = 32;

export type PersonaRequest = Exclude<TurnRequest, { kind: "responses" }>;

/** A speech, with the parts of its cast that its persona is told about. */
interface PromptedSpeech {
  readonly speech: Speech;
  readonly persona: Persona;
  /** The whole cast. */
  readonly personas: readonly Persona[];
  readonly choice: Pick<ProviderChoice, "model">;
  /** Absent for a request that brings its history. */
  readonly conversation: Pick<ConversationTurn, "owner" | "id" | "path"> | undefined;
}

/**
 * Puts the persona's instructions first and unchanged, then the history, and last the note for this answer: a prompt cache only reuses an
 * equal start.
 */
export function personaRequest(
  request: PersonaRequest,
  { speech, persona, personas, choice, conversation }: PromptedSpeech,
  { contextChars, digest }: Pick<ChatDependencies, "contextChars" | "digest">,
): ProviderRequest {
  const note = castNote(persona, personas);
  return {
    model: choice.model,
    instructions: persona.instructions,
    input: [
      ...(conversation === undefined
        ? request.input
        : pairedCalls([...personaContext(conversation.path, persona.id, contextChars), ...request.input])),
      ...heardSpeeches(speech, personas),
    ],
    ...(note === undefined ? {} : { note }),
    ...(request.functions === undefined ? {} : { functions: request.functions }),
    ...(conversation === undefined ? {} : { cacheKey: cacheKeyOf(conversation, persona, digest) }),
    // Troupe or the client keeps the conversation; the vendor need not.
    mayStore: false,
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.maxTokens === undefined ? {} : { maxOutputTokens: request.maxTokens }),
  };
}

/** The same for all requests of one persona in one conversation. */
function cacheKeyOf(
  { owner, id }: Pick<ConversationTurn, "owner" | "id">,
  persona: Persona,
  digest: ChatDependencies["digest"],
): string {
  return digest([owner, id, persona.id].join("\n")).slice(0, cacheKeyChars);
}

/** Asks a persona to speak again after its own speech. */
const goOn = "(Please go on.)";

/** A full history is cut by a third, in blocks of a third. */
const blocksOfHistory = 3;

/**
 * The messages of a conversation that one persona gets. Its own lines stay its own; all other speakers are quoted under their names, so
 * that no line in a text can pass for another speaker's. The first message is always a user's, and none is empty. The newest texts are
 * taken whole, at most `maxChars` together, but always the last.
 */
export function personaContext(path: readonly PathMessage[], personaId: string, maxChars: number): Item[] {
  const seen = path.slice(startOf(path, maxChars)).flatMap((message) => seenBy(personaId, message));
  const start = seen.findIndex(({ type }) => type === "message");
  const first = seen[start];
  if (first?.type !== "message") return [];
  // Strict chat templates refuse a conversation that starts with an assistant.
  const opening = first.role === "assistant" ? quoted("You", textOf(first.parts, first.role)) : first;
  return [opening, ...seen.slice(start + 1)];
}

/**
 * Leaves out calls without a result, and results without a call, because every API refuses them. A call has no result if its client went
 * on without one. A result has no call in the context of a persona that did not make it.
 */
export function pairedCalls(items: readonly Item[]): Item[] {
  /** The places of calls without a result so far. */
  const open = new Map<string, number>();
  const left = new Set<number>();
  for (const [place, item] of items.entries()) {
    if (item.type !== "tool-call" && item.type !== "tool-result") continue;
    const call = open.get(item.callId);
    open.delete(item.callId);
    if (item.type === "tool-call") {
      open.set(item.callId, place);
      if (call !== undefined) left.add(call);
    } else if (call === undefined) left.add(place);
  }
  for (const place of open.values()) left.add(place);
  return items.filter((_, place) => !left.has(place));
}

/**
 * The index at which a persona's part of a path starts. A full history loses a third at once and then keeps its start until it is full
 * again. A vendor's prompt cache only reuses an equal start, so it would never hit if the start moved every turn. The start depends only
 * on the texts from the root on, so every process finds the same one.
 */
function startOf(path: readonly PathMessage[], maxChars: number): number {
  const told = path.reduce((chars, message) => chars + charsOf(message), 0);
  const total = path.at(-1)?.pathChars ?? told;
  if (total <= maxChars) return 0;
  const block = Math.max(1, Math.floor(maxChars / blocksOfHistory));
  const cut = Math.ceil((total - maxChars) / block) * block;
  let before = total - told;
  let start: number | undefined;
  for (const [index, message] of path.entries()) {
    if (before >= cut) {
      start ??= index;
      // Leave out a whole turn rather than only its question, unless that costs more than another block.
      if (before < cut + block && message.role === "user") return index;
    }
    before += charsOf(message);
  }
  return start ?? path.findLastIndex(({ text }) => text.trim() !== "");
}

/** The earlier speeches of a turn as its next speaker gets them. They end with a user's message, as a question does. */
function heardSpeeches({ personaId, hears = [] }: Speech, cast: readonly Persona[]): MessageItem[] {
  const heard = hears
    .filter(({ text }) => text.trim() !== "")
    .map(({ speech, text }) => {
      if (speech.personaId === personaId) return textMessage("assistant", text);
      return quoted(cast.find(({ id }) => id === speech.personaId)?.name ?? speech.personaId, text);
    });
  return heard.at(-1)?.role === "assistant" ? [...heard, textMessage("user", goOn)] : heard;
}

function seenBy(personaId: string, { role, text, items, ...by }: StoredMessage): readonly Item[] {
  const isOther = role === "assistant" && by.personaId !== personaId;
  if (items !== undefined && !isOther) return items;
  if (text.trim() === "") return [];
  return [isOther ? quoted(by.personaName ?? by.personaId ?? "Someone", text) : textMessage(role, text)];
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
