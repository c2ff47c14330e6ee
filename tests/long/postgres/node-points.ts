/** A place in a node where its process is killed. */
export interface NodePoint {
  readonly at: "statement" | "send";
  /** `during` is after the statement was sent, and before its answer has come. */
  readonly when: "before" | "during" | "after";
  /** Counts the statements, or the messages, from 1. */
  readonly nth: number;
  /** The start of a statement's name. */
  readonly statement?: string;
  /** The parts of a beat that must be in it; see `beat-parts.ts`. */
  readonly parts?: string;
  /** Part of one of the statement's values, or of the message. */
  readonly containing?: string;
}

type Place = Omit<NodePoint, "when" | "nth"> & { readonly nth?: number };
export type NamedPoints = Readonly<Record<string, NodePoint>>;

function sidesOf<When extends NodePoint["when"]>(
  sides: readonly When[],
  places: Readonly<Record<string, Place>>,
): NamedPoints {
  return Object.fromEntries(
    Object.entries(places).flatMap(([name, place]) =>
      sides.map((when) => [`${when} ${name}`, { nth: 1, ...place, when }]),
    ),
  );
}

const beat = (parts: string, more: { nth?: number; containing?: string } = {}): Place => ({
  ...{ at: "statement", statement: "beat ", parts },
  ...more,
});
const asked = (statement: string): Place => ({ at: "statement", statement });

/** Points that every request passes at the node that answers it. */
export const answerPoints: NamedPoints = {
  ...sidesOf(["before", "during", "after"], {
    "the commit of its row": beat("b"),
    "the commit of its call": beat("c"),
    "the commit of a text": beat("s", { containing: '"type":"text"', nth: 2 }),
    "the commit of its end": beat("e"),
    "a slice of the budget": asked("takeSlices"),
  }),
  ...sidesOf(["before", "after"], {
    "its first message is sent": { at: "send", containing: '"seq":1}' },
    "a text is sent": { at: "send", containing: '"type":"chunk"', nth: 3 },
    "its end is sent": { at: "send", containing: '"type":"response"' },
  }),
};

/** Points that a node passes when it takes over a request of another one. */
export const takeoverPoints: NamedPoints = sidesOf(["before", "during", "after"], {
  "the end of the fence": asked("deleteFence"),
  "the end of the node": asked("deleteNode"),
  "the claim": asked("claimTurns"),
  "the log is read": asked("eventsOf"),
  "the first commit of the claimed turn": beat("s"),
});
