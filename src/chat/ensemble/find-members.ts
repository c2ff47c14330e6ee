import type { Persona } from "../../ports/persona.ts";
import type { ProviderChoice } from "../../ports/provider-catalog.ts";
import type { MemberChoice } from "../../ports/turn-request.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ChatDependencies } from "../chat-context.ts";
import { chooseForMember, chooseProvider } from "../choose-provider.ts";
import type { PersonaRequest } from "../prompt/persona-request.ts";

/** A persona with the model that speaks for it. */
export interface Member {
  readonly persona: Persona;
  readonly choice: ProviderChoice;
}

type Known = Pick<ChatDependencies, "personas" | "providers">;

/**
 * Finds the personas of a request, in its order, and chooses the endpoint and the model of each.
 *
 * Throws `persona_not_found`, `persona_repeated`, `provider_not_configured`.
 */
export async function findMembers(request: PersonaRequest, owner: string, known: Known): Promise<Member[]> {
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
  { personas }: Known,
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
