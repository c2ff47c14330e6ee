import type { Item } from "../ports/item.ts";
import type { JsonObject } from "../ports/json.ts";
import type { FinishReason, Usage } from "../ports/provider.ts";
import type { CancelReport } from "../ports/turn-event.ts";
import type { CallOutcome } from "../ports/usage-store.ts";
import type { TroupeError } from "../protocol/errors.ts";

/** The result of a lane. A failed call is a result: a lane throws only if its events cannot be stored. */
export interface LaneResult {
  readonly status: "completed" | "failed" | "cancelled";
  /** The text of all calls. */
  readonly text: string;
  /** Like `api`, `finishReason` and `response`, of the last call. */
  readonly model: string;
  /** The endpoint that answered, or was asked last. */
  readonly api: string;
  /** Whether a script answered instead of a model. */
  readonly simulated: boolean;
  readonly finishReason?: FinishReason;
  /** Of all calls together. */
  readonly usage?: Usage;
  /** The vendor's response object: the final one, or the first snapshot if the vendor did not get to its end. */
  readonly response?: JsonObject;
  /** The answer as items, if it is more than text. Absent if it is not whole, or of several calls. */
  readonly items?: readonly Item[];
  /** Its budget was used up before it came to an end. */
  readonly isCut?: true;
  readonly error?: TroupeError;
  readonly cancel?: CancelReport;
}

/** The outcome of a lane's last call. */
export function recordedOutcome({ status, finishReason, error }: LaneResult): CallOutcome {
  if (status === "completed" && finishReason === "budget") return "budget";
  return error?.code === "interrupted" ? "interrupted" : status;
}
