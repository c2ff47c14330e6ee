import type { LaneRole } from "../protocol/fields.ts";

/** The facts about a lane that clients are told. */
export interface Voice {
  /** Absent for the one nameless voice of a plain call. */
  readonly personaId?: string;
  /** From 0. Absent if every persona speaks once. */
  readonly round?: number;
  readonly role?: LaneRole;
}

/** Between the parts of a key. Ids have no control characters. */
const separator = "\n";

/**
 * The key of a lane: equal for equal voices, in every process. The key of a persona that speaks once is its id, as earlier versions
 * stored it. Only this file looks into a key.
 */
export function laneKey({ personaId = "", round, role }: Voice): string {
  return round === undefined && role === undefined
    ? personaId
    : [personaId, round ?? "", role ?? ""].join(separator);
}

/** The voice of a lane; the nameless one for `undefined`. */
export function voiceOf(key: string | undefined): Voice {
  if (key === undefined) return {};
  if (!key.includes(separator)) return { personaId: key };
  const [personaId, round = "", role = ""] = key.split(separator);
  return {
    ...(personaId === "" ? {} : { personaId }),
    ...(round === "" ? {} : { round: Number(round) }),
    ...(role === "" ? {} : { role: role as LaneRole }),
  };
}
