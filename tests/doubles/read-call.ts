import { builtinPersonas } from "../../src/adapters/builtin-personas/personas.ts";

/** Of a call of the Responses API, as Troupe sends it. */
export type CallInput = string | readonly { readonly content: string }[];

/**
 * The question of a call. In the last message it comes after what others have said, with an empty line between, and may be
 * followed by a note for the persona. It must have no empty line of its own.
 */
export function lastQuestion(input: CallInput): string {
  const text = typeof input === "string" ? input : (input.at(-1)?.content ?? "");
  return (
    text
      .replace(/\n\n<note>[^<]*<\/note>$/, "")
      .split("\n\n")
      .at(-1) ?? ""
  );
}

/** The built-in persona that a call is for, by its instructions; `undefined` for a nameless voice. */
export function personaOf(instructions: string | undefined): string | undefined {
  if (instructions === undefined) return undefined;
  return builtinPersonas.find((persona) => instructions.startsWith(persona.instructions))?.id;
}
