import type { Policy } from "../../../src/chat/ensemble/policy.ts";

/** The personas speak one after the other, this many times; each hears everything that was said in the turn. */
export function roundRobin(rounds: number): Policy {
  return (cast, said) => {
    const round = Math.floor(said.length / cast.length);
    const personaId = cast[said.length % cast.length];
    return round >= rounds || personaId === undefined ? [] : [{ personaId, round, hears: said }];
  };
}
