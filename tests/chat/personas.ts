import type { Persona } from "../../src/ports/persona.ts";

const persona = (id: string, name: string): Persona => ({
  id,
  name,
  description: `${name} of a test.`,
  instructions: `You are ${name}, and this is a secret of ${id}.`,
});

/** Three personas that exist only in tests. */
export const personas = [persona("ada", "Ada"), persona("bob", "Bob"), persona("cleo", "Cleo")] as const;
