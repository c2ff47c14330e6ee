import type { Persona, PersonaStore, PublicPersona } from "../../ports/persona.ts";
import { creativeWriter } from "./creative-writer.ts";
import { dataScientist } from "./data-scientist.ts";
import { historian } from "./historian.ts";
import { productManager } from "./product-manager.ts";
import { securityEngineer } from "./security-engineer.ts";
import { skeptic } from "./skeptic.ts";
import { teacher } from "./teacher.ts";
import { techEnthusiast } from "./tech-enthusiast.ts";

/** The personas that come with the server, sorted by id. */
export const builtinPersonas: readonly Persona[] = [
  creativeWriter,
  dataScientist,
  historian,
  productManager,
  securityEngineer,
  skeptic,
  teacher,
  techEnthusiast,
];

/** A store of the built-in personas, which every owner may use. It need not be closed. */
export function createBuiltinPersonaStore(): PersonaStore {
  // A map, because an id comes from a client and an object would answer to "constructor".
  const byId = new Map(builtinPersonas.map((persona) => [persona.id, persona]));
  return {
    async find(_owner, id) {
      return byId.get(id);
    },
    async list(_owner) {
      return builtinPersonas.map(({ id, name, description }): PublicPersona => ({ id, name, description }));
    },
  };
}
