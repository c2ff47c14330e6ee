/** A place in the server where its process is killed. */
export interface FailPoint {
  readonly at: "commit" | "send" | "migration";
  readonly when: "before" | "after";
  /** Counts the commits that run such a statement, or the messages, from 1. */
  readonly nth: number;
  /** Part of a statement's text, or the version that a migration leads to. */
  readonly statement?: string;
  /** Part of the statement's last value, or of the message. */
  readonly containing?: string;
}

type Place = Omit<FailPoint, "when" | "nth"> & { readonly nth?: number };

/** Two points for each place, before and after it, by name. */
function bothSides(places: Readonly<Record<string, Place>>): Record<string, FailPoint> {
  return Object.fromEntries(
    Object.entries(places).flatMap(([name, place]) =>
      (["before", "after"] as const).map((when) => [`${when} ${name}`, { nth: 1, ...place, when }]),
    ),
  );
}

const commit = (statement: string, more: { nth?: number; containing?: string } = {}): Place => ({
  at: "commit",
  statement,
  ...more,
});
const journal = "INSERT INTO journal";

/** Points that every request passes. */
export const requestPoints = bothSides({
  "the commit of its row": commit("INTO turns"),
  "the commit of its first events": commit(journal, { containing: '"starting"' }),
  "the commit of a text": commit(journal, { nth: 2 }),
  "the commit of its end": commit(journal, { containing: '"type":"answer","status"' }),
  "the commit of its log": commit("UPDATE turns SET ended_at_ms"),
  "its first message is sent": { at: "send", containing: '"seq":1}' },
  "a text is sent": { at: "send", containing: '"type":"chunk"', nth: 3 },
  "its end is sent": { at: "send", containing: '"type":"response"' },
});

/** Points that a request passes if its answer shows ids of the vendor. */
export const responsesPoints = bothSides({ "the commit of the vendor's id": commit("INTO vendor_ids") });

/** Points that a request to personas passes. */
export const conversationPoints = bothSides({
  "the commit of its conversation": commit("INSERT INTO conversations"),
  "the commit of the question": commit("INSERT INTO messages"),
  "the commit of the answers": commit("INSERT INTO messages", { nth: 2 }),
  "the commit of the head": commit("SET head_id"),
});

/** Points in the next start, which ends the requests that a kill left running. */
export const recoveryPoints = bothSides({
  "the commit of a left turn's end": commit(journal, { containing: '"interrupted"' }),
  "the commit of a left turn's log": commit("UPDATE turns SET ended_at_ms"),
});
export const conversationRecoveryPoints = bothSides({
  "the commit of a partial answer": commit("INSERT INTO messages"),
  "the commit of its place in the conversation": commit("SET head_id"),
});

export const compactionPoints = bothSides({ "the commit of a compacted log": commit("compacted(log") });
export const forgettingPoints = bothSides({
  "the commit of a forgotten turn": commit("DELETE FROM turns WHERE number"),
});

export const erasingPoints = bothSides({
  "the commit of a deletion": commit("SET owner = NULL"),
  "the commit of erased messages": commit("DELETE FROM messages"),
  "the commit of an erased conversation": commit("DELETE FROM conversations"),
});

export function migrationPoint(version: number, when: FailPoint["when"]): FailPoint {
  return { at: "migration", when, nth: 1, statement: String(version) };
}
