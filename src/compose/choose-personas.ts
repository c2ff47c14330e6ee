import { createBuiltinPersonaStore } from "../adapters/builtin-personas/personas.ts";
import { anonymous, userOf } from "../doors/identity/callers.ts";
import type { Persona, PersonaStore, PublicPersona } from "../ports/persona.ts";
import { personaId } from "../protocol/fields.ts";
import { SettingError } from "./settings.ts";

export interface ChosenPersonas {
  readonly store: PersonaStore;
  /** The personas that the test page offers to everyone. */
  readonly shown: readonly PublicPersona[];
}

/**
 * The built-in personas, an embedding program's own list, or its store. A store is called with the owner's name as the program knows it.
 * The page offers its list for `anonymous`, or nothing if the program knows its users.
 * Throws a `SettingError` for a list that no client could use.
 */
export async function choosePersonas(
  own: readonly Persona[] | PersonaStore | undefined,
  knowsUsers: boolean,
): Promise<ChosenPersonas> {
  if (own === undefined || isList(own)) {
    const store = own === undefined ? createBuiltinPersonaStore() : storeOf(own);
    return { store, shown: await store.list(anonymous.owner) };
  }
  const store: PersonaStore = {
    find: (owner, id) => own.find(userOf(owner), id),
    list: (owner) => own.list(userOf(owner)),
  };
  return { store, shown: knowsUsers ? [] : await store.list(anonymous.owner) };
}

function isList(own: readonly Persona[] | PersonaStore): own is readonly Persona[] {
  return Array.isArray(own);
}

function storeOf(personas: readonly Persona[]): PersonaStore {
  const byId = new Map(personas.map((persona) => [persona.id, persona]));
  if (byId.size === 0) throw new SettingError("personas: there must be at least one");
  if (byId.size < personas.length) throw new SettingError("personas: two have the same id");
  for (const { id, name, instructions } of personas) {
    if (!personaId.safeParse(id).success)
      throw new SettingError("personas: an id has 1 to 128 characters, none of them a control character");
    if (name === "" || instructions === "")
      throw new SettingError(`personas: ${id} needs a name and instructions`);
  }
  const shown = [...byId.values()]
    .map(({ id, name, description }): PublicPersona => ({ id, name, description }))
    .sort((one, other) => (one.id < other.id ? -1 : 1));
  return { find: async (_owner, id) => byId.get(id), list: async () => [...shown] };
}
