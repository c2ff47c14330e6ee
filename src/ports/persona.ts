/** A character that answers: its public face, and the instructions that only the model sees. */
export interface Persona {
  /** Stable id: lower-case words joined by `_`. */
  readonly id: string;
  /** The name as shown. */
  readonly name: string;
  /** One sentence, for a picker. */
  readonly description: string;
  /** System prompt. Never sent to a client, never logged. */
  readonly instructions: string;
  /** The endpoint and the model that speak for it, in requests that name neither. Default: the server's. */
  readonly api?: string;
  readonly model?: string;
}

/** The part of a persona that clients may know. */
export type PublicPersona = Pick<Persona, "id" | "name" | "description">;

/**
 * Finds personas. `find` returns `undefined` both for an id that does not exist and for one that `owner` may not use, so that the two
 * cannot be told apart. `list` is sorted by id.
 */
export interface PersonaStore {
  find(owner: string, id: string): Promise<Persona | undefined>;
  list(owner: string): Promise<PublicPersona[]>;
}
