import { builtinPersonas } from "../../src/adapters/builtin-personas/personas.ts";

/** The input of a call to the Responses API, as Troupe sends it. */
export type CallInput = string | readonly { readonly content: string }[];

/**
 * The question of a call. In the last message it comes after the other voices' texts and an empty line, and a note for
 * the persona may follow it. The question itself must not contain an empty line.
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

/** The built-in persona of a call, found by its instructions; `undefined` for a nameless voice. */
export function personaOf(instructions: string | undefined): string | undefined {
  if (instructions === undefined) return undefined;
  return builtinPersonas.find((persona) => instructions.startsWith(persona.instructions))?.id;
}
