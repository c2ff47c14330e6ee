import {
  isDisturbed,
  isIncomplete,
  isLoadAtLimit,
  type Trust,
  type WindowFigures,
} from "../measures/window.ts";
import { medianOf, type Summary } from "./over-rounds.ts";

/** Explains each mark after a figure. It is set if at least half of the rounds deserve it. */
export const markMeanings = [
  "`*`: the load itself was at its limit",
  "`~`: other processes used more than a tenth of the side's core",
  "`!`: some tokens did not arrive in time, or connections were lost",
];

/** Explains how the figures follow from the rounds. */
export function ratioMeaning(rounds: number): string {
  return rounds === 1
    ? "All figures are of one round."
    : `Each figure is the median of ${rounds} rounds. A ratio is taken in each round: its median, with its lowest and highest value in parentheses.`;
}

function marksOf(windows: readonly WindowFigures[]): string {
  const isUsual = (isMarked: (trust: Trust) => boolean) =>
    windows.filter(({ trust }) => isMarked(trust)).length * 2 >= windows.length;
  return [
    isUsual(isLoadAtLimit) ? "*" : "",
    isUsual(isDisturbed) ? "~" : "",
    isUsual(isIncomplete) ? "!" : "",
  ].join("");
}

/** The median of the CPU per token in microseconds, with the marks of its windows. */
export function cpuCell(windows: readonly WindowFigures[]): string {
  const us = medianOf(windows.map(({ cpuUsPerToken }) => cpuUsPerToken));
  return us === undefined ? "" : `${us.toFixed(us < 100 ? 1 : 0)}${marksOf(windows)}`;
}

/** The median of a ratio and, if there are several rounds, its range: `1.02 (0.97-1.10)`. */
export function ratioCell(ratio: Summary | undefined): string {
  if (ratio === undefined) return "";
  const { median, min, max, rounds } = ratio;
  return rounds === 1 ? median.toFixed(2) : `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
}

/** The medians of a time's p50 and p99. */
export function spreadCell(spreads: readonly { p50Ms: number; p99Ms: number }[]): string {
  const p50Ms = medianOf(spreads.map((spread) => spread.p50Ms));
  const p99Ms = medianOf(spreads.map((spread) => spread.p99Ms));
  return p50Ms === undefined || p99Ms === undefined ? "" : `${milliseconds(p50Ms)} / ${milliseconds(p99Ms)}`;
}

function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

export function numberCell(value: number | undefined, digits: number): string {
  return value === undefined ? "" : value.toFixed(digits);
}

export function kibibytes(bytes: number | undefined): string {
  return numberCell(bytes === undefined ? undefined : bytes / 1_024, 1);
}
