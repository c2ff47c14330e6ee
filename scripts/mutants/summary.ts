import { dirname } from "node:path/posix";
import { table } from "../markdown-tables.ts";
import { isDeciding } from "./deciding.ts";
import { nameOf } from "./find-mutants.ts";
import type { Verdict } from "./judge-mutant.ts";
import { entryOf, type SurvivorArgument } from "./survivor-arguments.ts";

/** Minimum shares of the non-equivalent mutants that must be caught: over all sources, and over the deciding sources. */
const thresholds = { all: 0.85, deciding: 0.9 };

export interface Summary {
  /** The table by folder, then each survivor with its argument. */
  readonly text: string;
  /** The faults of the run, one line each. */
  readonly faults: readonly string[];
}

type Arguments = ReadonlyMap<string, SurvivorArgument>;

/** Sums up a run. */
export function summarize(verdicts: readonly Verdict[], given: readonly SurvivorArgument[]): Summary {
  const argued = new Map(given.map((argument) => [argument.name, argument]));
  const folders = Map.groupBy(verdicts, ({ mutant }) => dirname(mutant.file));
  const decidingOnes = verdicts.filter(({ mutant }) => isDeciding(mutant.file));
  const all = count(verdicts, argued);
  const deciding = count(decidingOnes, argued);
  const rows = [...folders].map(([folder, members]) => rowOf(folder, count(members, argued)));
  const survivors = verdicts.filter(({ caughtBy }) => caughtBy === undefined);
  const unargued = survivors.filter(({ mutant }) => !argued.has(nameOf(mutant)));
  return {
    text: [
      table(
        ["folder", "mutants", "caught", "survived", "equivalent", "score"],
        [...rows, rowOf("who may and who pays", deciding), rowOf("all", all)],
      ),
      ...survivors.map((verdict) => describeSurvivor(verdict, argued)),
    ].join("\n\n"),
    faults: [
      ...(all.score < thresholds.all
        ? [`${percent(all.score)} caught; it should be ${percent(thresholds.all)}`]
        : []),
      ...(deciding.score < thresholds.deciding
        ? [
            `${percent(deciding.score)} caught in what decides who may and who pays; it should be ${percent(thresholds.deciding)}`,
          ]
        : []),
      ...unargued.map(({ mutant }) => `no argument for the survivor ${nameOf(mutant)}`),
    ],
  };
}

interface Counts {
  readonly mutants: number;
  readonly caught: number;
  readonly survived: number;
  readonly equivalent: number;
  /** The caught share of the mutants that are not equivalent; 1 if there are none. */
  readonly score: number;
}

function count(verdicts: readonly Verdict[], argued: Arguments): Counts {
  const survivors = verdicts.filter(({ caughtBy }) => caughtBy === undefined);
  const equivalent = survivors.filter(
    ({ mutant }) => argued.get(nameOf(mutant))?.isEquivalent === true,
  ).length;
  const caught = verdicts.length - survivors.length;
  const judged = verdicts.length - equivalent;
  return {
    mutants: verdicts.length,
    caught,
    survived: survivors.length - equivalent,
    equivalent,
    score: judged === 0 ? 1 : caught / judged,
  };
}

function rowOf(name: string, { mutants, caught, survived, equivalent, score }: Counts): string[] {
  return [name, ...[mutants, caught, survived, equivalent].map(String), percent(score)];
}

function percent(share: number): string {
  // Rounded down, so that a score below its threshold never looks as if it had reached it.
  return `${Math.floor(share * 1_000) / 10} %`;
}

function describeSurvivor({ mutant, testFiles }: Verdict, argued: Arguments): string {
  const argument = argued.get(nameOf(mutant));
  const kind = argument === undefined ? "No argument" : argument.isEquivalent ? "Equivalent" : "Accepted";
  return [
    `${mutant.file}:${mutant.line} (${mutant.operator}, ${testFiles === 0 ? "not executed" : `${testFiles} test files`})`,
    entryOf(mutant),
    `  ${kind}: ${argument?.reason ?? ""}`.trimEnd(),
  ].join("\n");
}
