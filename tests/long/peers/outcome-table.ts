import type { Outcome } from "./outcome.ts";
import { chunkCount } from "./script.ts";

const columns = ["fault", "by", "answers", "whole", "lost", "doubled", "reordered", "ends", "further calls"];

/** A table of all peers' results. */
export function createTable() {
  const lines = [`| ${columns.join(" | ")} |`, `|${" --- |".repeat(columns.length)}`];
  return {
    text: () => lines.join("\n"),
    /** Adds a peer's results for a fault, over all rounds. */
    add(fault: string, peer: string, outcomes: readonly Outcome[]): void {
      const sum = (figure: (outcome: Outcome) => number) =>
        outcomes.reduce((total, outcome) => total + figure(outcome), 0);
      const ends = Map.groupBy(outcomes, ({ end }) => end);
      const cells = [
        fault,
        peer,
        outcomes.length,
        outcomes.filter(({ shown }) => shown === chunkCount).length,
        sum(({ lost }) => lost),
        sum(({ doubled }) => doubled),
        sum(({ reordered }) => reordered),
        [...ends].map(([end, { length }]) => `${length} ${end}`).join(", "),
        sum(({ furtherCalls }) => furtherCalls),
      ];
      lines.push(`| ${cells.join(" | ")} |`);
    },
  };
}
