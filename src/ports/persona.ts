/** A character that answers: its public face, and the instructions that only the model ever sees. */
export interface Persona {
  /** Stable id, lower-case words joined by `_`. */
  readonly id: string;
  /** Name as shown. */
  readonly name: string;
  /** One sentence for a picker. */
  readonly description: string;
  /** System prompt. Never sent to a client, never logged. */
  readonly instructions: string;
}

/** What a client may know of a persona. */
export type PublicPersona = Pick<Persona, "id" | "name" | "description">;

/**
 * Where personas are found. `find` answers `undefined` for an id that does not exist or that `owner` may not use, so that the
 * two cannot be told apart; `list` is sorted by id.
 */
export interface PersonaStore {
  find(owner: string, id: string): Promise<Persona | undefined>;
  list(owner: string): Promise<PublicPersona[]>;
}
