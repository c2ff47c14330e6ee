import type { Persona } from "../ports/persona.ts";
import type { FallbackLink, ProviderChoice } from "../ports/provider.ts";
import type { MemberChoice, NamedChoice } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { ChatDependencies } from "./chat-context.ts";
import type { PersonaRequest } from "./prompt/persona-request.ts";

type Known = Pick<ChatDependencies, "providers">;

/** The names in a request that choose its provider. */
interface Asked {
  readonly api?: string | undefined;
  readonly model?: string | undefined;
  /** The links after it, in the place of the server's. */
  readonly fallback?: readonly NamedChoice[] | undefined;
}

/**
 * The endpoint and the model that answer: the request's, otherwise the persona's own, otherwise the server's. Throws
 * `provider_not_configured`.
 */
export function chooseProvider(asked: Asked, known: Known, own: NamedChoice = {}): ProviderChoice {
  const { api, model } = asked.api === undefined && asked.model === undefined ? own : asked;
  return withLinks(chooseNamed({ api, model }, known), asked.fallback, known);
}

/** Each of two names goes with the other: another vendor's endpoint does not have its model. */
function chooseNamed({ api, model }: Asked, { providers }: Known): ProviderChoice {
  return providers.choose(api ?? providers.apiFor?.(model) ?? "openai", model);
}

/** The choice with the links of a request, or with the server's if it names none. Throws `provider_not_configured`. */
function withLinks(choice: ProviderChoice, named: Asked["fallback"], known: Known): ProviderChoice {
  if (named === undefined) return choice;
  const fallbacks = named.flatMap((link, at): FallbackLink[] => {
    const { fallbacks: _, ...found } = refusingAt(`fallback.${at}`, () => chooseNamed(link, known));
    return found.api === choice.api && found.model === choice.model ? [] : [found];
  });
  return { ...choice, fallbacks };
}

/** The catalog's refusal of an endpoint names the request's field. Here it gets the place in a list of the request. */
function refusingAt<T>(place: string, choose: () => T): T {
  try {
    return choose();
  } catch (error) {
    if (!(error instanceof TroupeError)) throw error;
    const { code, detail, retryable } = error;
    const name = error.field?.split(".").at(-1);
    const field = name === undefined ? place : `${place}.${name}`;
    throw new TroupeError(code, { retryable, field, ...(detail === undefined ? {} : { detail }) });
  }
}

/** The same for the member of a request at this place in its list. A model alone is asked at the request's endpoint. */
function chooseForMember(
  request: Asked,
  { named: { api, model }, at }: { readonly named: NamedChoice; readonly at: number },
  known: Known,
): ProviderChoice {
  const { fallback } = request;
  if (api === undefined) return chooseProvider({ api: request.api, model, fallback }, known);
  const choice = refusingAt(`members.${at}`, () => chooseNamed({ api, model }, known));
  return withLinks(choice, fallback, known);
}

/** A persona with the model that speaks for it. */
export interface Member {
  readonly persona: Persona;
  readonly choice: ProviderChoice;
}

type MemberSources = Pick<ChatDependencies, "personas" | "providers">;

/**
 * Finds the personas of a request, in its order, and chooses the endpoint and the model of each.
 *
 * Throws `persona_not_found`, `persona_repeated`, `provider_not_configured`.
 */
export async function findMembers(
  request: PersonaRequest,
  owner: string,
  known: MemberSources,
): Promise<Member[]> {
  const personas = await findPersonas(request, owner, known);
  const named = request.kind === "persona" ? [] : (request.members ?? []);
  refuseOthers(named, request.personaIds);
  return personas.map((persona) => {
    const at = named.findIndex(({ personaId }) => personaId === persona.id);
    const own = named[at];
    const isNamed = own?.api !== undefined || own?.model !== undefined;
    const choice = isNamed
      ? chooseForMember(request, { named: own, at }, known)
      : chooseProvider(request, known, persona);
    return { persona, choice };
  });
}

async function findPersonas(
  { kind, personaIds: ids }: PersonaRequest,
  owner: string,
  { personas }: MemberSources,
): Promise<Persona[]> {
  const found: Persona[] = [];
  for (const [index, id] of ids.entries()) {
    const field = kind === "persona" ? "personaId" : `personaIds.${index}`;
    if (ids.indexOf(id) !== index) throw new TroupeError("persona_repeated", { field });
    const persona = await personas.find(owner, id);
    if (persona === undefined) throw new TroupeError("persona_not_found", { field });
    found.push(persona);
  }
  return found;
}

function refuseOthers(named: readonly MemberChoice[], ids: readonly string[]): void {
  const seen = new Set<string>();
  for (const [index, { personaId }] of named.entries()) {
    const field = `members.${index}.personaId`;
    if (!ids.includes(personaId)) throw new TroupeError("persona_not_found", { field });
    if (seen.has(personaId)) throw new TroupeError("persona_repeated", { field });
    seen.add(personaId);
  }
}
