import type { PersonaAnswer, Voice } from "../../ports/turn-event.ts";

/** One answer of one persona, as a policy plans it. */
export interface Speech extends Voice {
  readonly personaId: string;
  /** Earlier speeches of the turn that its persona gets after the question, in this order. Default: none. */
  readonly hears?: readonly Said[];
}

/** A speech that has ended. */
export interface Said {
  readonly speech: Speech;
  readonly status: PersonaAnswer["status"];
  /** The text that clients were shown; partial unless it completed. */
  readonly text: string;
}

/**
 * Decides the order of the speeches. Given the ids of the cast and everything said so far in the turn, it returns the next speeches, which then
 * run at the same time. It is asked again when all of them have ended; an empty list ends the turn.
 *
 * A policy is a pure function: a process that takes over a turn asks it again and must get the same speeches. No two speeches of a turn
 * may have the same persona, round and role.
 */
export type Policy = (cast: readonly string[], said: readonly Said[]) => readonly Speech[];

/** Every persona answers the question once, all at the same time. */
export const parallel: Policy = (cast, said) =>
  said.length > 0 ? [] : cast.map((personaId) => ({ personaId }));
