import {
  isDisturbed,
  isIncomplete,
  isLoadAtLimit,
  type Trust,
  type WindowFigures,
} from "../measures/window.ts";

/** Explains each mark after a figure. */
export const markMeanings = [
  "`*`: the load itself was at its limit",
  "`~`: other processes used more than a tenth of the side's core",
  "`!`: some tokens did not arrive in time, or connections were lost",
];

function marksOf(trust: Trust): string {
  return [
    isLoadAtLimit(trust) ? "*" : "",
    isDisturbed(trust) ? "~" : "",
    isIncomplete(trust) ? "!" : "",
  ].join("");
}

/** CPU per token with the marks of its window. */
export function cpuCell(window: WindowFigures | undefined): string {
  if (window === undefined) return "";
  return `${window.cpuUsPerToken.toFixed(window.cpuUsPerToken < 100 ? 1 : 0)}${marksOf(window.trust)}`;
}

export function ratioCell(value: number | undefined, reference: number | undefined): string {
  return value === undefined || reference === undefined ? "" : (value / reference).toFixed(2);
}

export function spreadCell(spread: { p50Ms: number; p99Ms: number } | undefined): string {
  return spread === undefined ? "" : `${milliseconds(spread.p50Ms)} / ${milliseconds(spread.p99Ms)}`;
}

function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

export function kibibytes(bytes: number | undefined): string {
  return bytes === undefined ? "" : (bytes / 1_024).toFixed(1);
}
