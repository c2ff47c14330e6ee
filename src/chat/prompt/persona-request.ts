import type { Persona } from "../../ports/persona.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import type { ProviderChoice } from "../../ports/provider-catalog.ts";
import type { TurnRequest } from "../../ports/turn-request.ts";
import type { ChatDependencies } from "../chat-context.ts";
import type { ConversationTurn } from "../ensemble/conversation-turn.ts";
import type { Speech } from "../ensemble/policy.ts";
import { castNote, heardSpeeches, pairedCalls, personaContext } from "./persona-context.ts";

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
