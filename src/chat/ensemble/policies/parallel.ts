import type { Policy } from "../policy.ts";

/** Every persona answers the question once, all at the same time. */
export const parallel: Policy = (cast, said) =>
  said.length > 0 ? [] : cast.map((personaId) => ({ personaId }));
