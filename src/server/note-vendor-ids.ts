import type { TurnStep } from "../ports/turn-event.ts";
import type { KeptTurn, TurnLog } from "../ports/turn-log.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";

/** More ids than an answer can have, to bound one write. */
const maxIdsOfStep = 64;

/**
 * Wraps a turn's log so that vendor ids shown in it belong to its owner from the same commit on. Nothing of a transient turn is stored,
 * its ids included, because the vendor was asked not to store it.
 */
export function noteVendorIds({ record, log }: KeptTurn, vendorIds: VendorIds): Pick<TurnLog, "append"> {
  if (record.transient === true) return log;
  return {
    append(steps) {
      const shown = idsShownIn(steps);
      if (shown.length === 0) return log.append(steps);
      const noted = vendorIds.note(record.owner, shown);
      return Promise.all([noted, log.append(steps)]).then(() => undefined);
    },
  };
}

/** The ids that a vendor makes for a request: the response's, its conversation's, and those of containers in which its tools ran. */
function idsShownIn(steps: readonly TurnStep[]): string[] {
  const ids = new Set<string>();
  for (const step of steps) {
    if (step.type === "tool") addContainers(ids, step.payload);
    else if (step.type === "answer" && step.answer.kind === "responses") {
      const { id, conversation, output } = step.answer.response;
      add(ids, id);
      add(ids, fieldOf(conversation, "id"));
      for (const item of Array.isArray(output) ? output : []) addContainers(ids, item);
    }
  }
  return [...ids].slice(0, maxIdsOfStep);
}

/** `code_interpreter_call` names its container itself, `shell_call` in its environment (types of the openai package). */
function addContainers(ids: Set<string>, item: unknown): void {
  add(ids, fieldOf(item, "container_id"));
  add(ids, fieldOf(fieldOf(item, "environment"), "container_id"));
}

function add(ids: Set<string>, id: unknown): void {
  if (typeof id === "string" && id !== "") ids.add(id);
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
