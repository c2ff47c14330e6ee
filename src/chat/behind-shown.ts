import type { ProviderEvent } from "../ports/provider.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { BegunLane } from "./recovered-lanes.ts";

/**
 * Skips the part of a resumed answer that its lane has already shown. The answer is told again from the lane's checkpoint on, but the
 * lane may have shown more. Checkpoints inside the skipped part are dropped. If more text follows although the lane had its last text, it
 * was stopped, and ends as `interrupted`.
 */
export async function* behindShown(
  source: AsyncIterable<ProviderEvent[]>,
  { text, reasoningUnits, toolEvents, ended, checkpoint }: BegunLane,
): AsyncGenerator<ProviderEvent[]> {
  let shownUnits = text.length - checkpoint.textUnits;
  let shownReasoning = reasoningUnits - checkpoint.reasoningUnits;
  let shownTools = toolEvents - checkpoint.toolEvents;

  function* leftOf(event: ProviderEvent): Generator<ProviderEvent> {
    if (event.type === "text") {
      const rest = event.text.slice(shownUnits);
      shownUnits -= event.text.length - rest.length;
      if (rest === "") return;
      if (ended) throw new TroupeError("interrupted");
      yield { type: "text", text: rest };
    } else if (event.type === "reasoning") {
      const rest = event.text.slice(shownReasoning);
      shownReasoning -= event.text.length - rest.length;
      if (rest !== "") yield { type: "reasoning", text: rest };
    } else if (event.type === "tool") {
      if (shownTools > 0) shownTools -= 1;
      else yield event;
    } else if (
      event.type !== "checkpoint" ||
      (shownUnits === 0 && shownReasoning === 0 && shownTools === 0)
    ) {
      yield event;
    }
  }

  for await (const batch of source) {
    const left = batch.flatMap((event) => [...leftOf(event)]);
    if (left.length > 0) yield left;
  }
}
