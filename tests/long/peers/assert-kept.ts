import assert from "node:assert/strict";
import type { Outcome } from "./outcome.ts";
import { chunkCount } from "./script.ts";

/** Asserts of Troupe's own results that nothing was lost, doubled or asked again, and that only a killed server cut an answer off. */
export function assertKept(
  played: Iterable<readonly [fault: { readonly kills?: true }, outcome: Outcome]>,
): void {
  for (const [{ kills = false }, { shown, ...rest }] of played) {
    const end = kills ? "error `interrupted`" : "completed";
    assert.deepEqual(rest, { lost: 0, doubled: 0, reordered: 0, end, furtherCalls: 0 });
    assert.ok(kills || shown === chunkCount);
  }
}
