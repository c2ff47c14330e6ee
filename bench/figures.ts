import type { Capacity } from "./measures/capacity.ts";
import type { StreamsFigures } from "./measures/streams.ts";
import type { WindowFigures } from "./measures/window.ts";
import type { Plan } from "./plan.ts";
import type { Side } from "./sides/side.ts";

/** The figures of one side in one round. */
export interface RoundFigures {
  /** By the upstream's name. */
  readonly upstreams: ReadonlyMap<string, WindowFigures>;
  /** Short answers, each on its own connection. */
  readonly answers?: WindowFigures;
  /** Memory that one more stream takes. */
  readonly streamBytes?: number;
}

/** The limits of one side. */
export interface Limits {
  readonly growth: StreamsFigures;
  readonly capacity: Capacity;
  readonly idleSocketBytes?: number;
}

/** All figures of one side. Without `side`, of the client asking the double itself. */
export interface SideFigures {
  readonly side: Side | undefined;
  /** Why there are no figures or, after complete rounds, no limits. */
  readonly missing?: string;
  /** By the round's number. Empty if a round failed. */
  readonly rounds: readonly RoundFigures[];
  readonly limits?: Limits;
}

/** The results of a run. */
export interface RunFigures {
  readonly plan: Plan;
  readonly direct: SideFigures;
  readonly sides: readonly SideFigures[];
}
