import fc from "fast-check";
import type { ProviderEvent } from "../../src/ports/provider.ts";

/** The seed makes every run generate the same texts, so a failure can be repeated. */
export const fewRuns = { seed: 20_261_122, numRuns: 150 } as const;
export const manyRuns = { seed: 20_261_122, numRuns: 1_000 } as const;

/** Clusters of every kind in the segmentation rules (Unicode Annex 29), whole and in parts. */
const clusters = [
  ..."ab z.,\n\t",
  "12#*",
  "\r\n",
  "\r",
  "1️⃣",
  "#️⃣",
  "é",
  "ë",
  "Z͑ͫ̓",
  "ßé",
  "雨",
  "が",
  "か\u3099",
  "한",
  "\u1112\u1161\u11ab",
  "\u1100\u1161",
  "가\u11a8",
  "क्ष",
  "नि",
  "ำ",
  "\u06001",
  "😀",
  "👍🏽",
  "🏽",
  "👩‍🚀",
  "👨‍👩‍👧‍👦",
  "🏳️‍🌈",
  "❤️‍🔥",
  "🇩🇪",
  "🇯🇵🇫🇷",
  "🇺",
  "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
  "\u200d",
  "\ufe0f",
  "\u20e3",
  "\u0301",
  "\u2028",
  "\ufffd",
  "\ufeff",
] as const;

const loneSurrogates = ["\ud83d", "\ude00", "\ud83d\ud83d", "\ude00\ud83d"] as const;

const anyCharacter = fc
  .oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 0x10ffff }))
  .map((code) => String.fromCodePoint(code).toWellFormed());

const anyCluster = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...clusters) },
  { weight: 2, arbitrary: fc.constantFrom("plain words ", "and more of them, ", "🇩🇪".repeat(40)) },
  { weight: 1, arbitrary: anyCharacter },
);

/** Text without lone surrogates. */
export const anyText = fc.array(anyCluster, { maxLength: 40 }).map((parts) => parts.join(""));

/** Text in which surrogates may stand alone. */
export const anyBrokenText = fc
  .array(fc.oneof({ weight: 6, arbitrary: anyCluster }, fc.constantFrom(...loneSurrogates)), {
    maxLength: 40,
  })
  .map((parts) => parts.join(""));

export const anyAsciiText = fc
  .array(fc.constantFrom("word ", "x", "longer piece of text, ", "\n"), { maxLength: 60 })
  .map((parts) => parts.join(""));

/** A text cut into pieces, also inside surrogate pairs. */
export function anyPieces(text: fc.Arbitrary<string>): fc.Arbitrary<string[]> {
  return fc.tuple(text, fc.array(fc.nat({ max: 2_000 }), { maxLength: 25 })).map(([whole, cuts]) => {
    const positions = new Set(cuts.map((cut) => cut % (whole.length + 1)));
    const inOrder = [...positions].filter((at) => mayCut(whole, at)).sort((a, b) => a - b);
    return [...inOrder, whole.length].map((end, index) => whole.slice(inOrder[index - 1] ?? 0, end));
  });
}

/** Plain ASCII does not wait for a combining mark that a later piece might bring (PROTOCOL.md), so no such cut is made. */
function mayCut(text: string, at: number): boolean {
  const isInsidePair = /[\ud800-\udbff]/.test(text[at - 1] ?? "");
  const before = text[isInsidePair ? at - 2 : at - 1] ?? "";
  return !/[\t\n -~]/.test(before) || /[0-9#*]/.test(before) || isBoundary(text, isInsidePair ? at - 1 : at);
}

const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });

/** Whether `at` is between two grapheme clusters, judged by the whole text. */
export function isBoundary(text: string, at: number): boolean {
  return at <= 0 || at >= text.length || boundaries(text).has(at);
}

/** The offsets at which the clusters of a text start. */
export function boundaries(text: string): Set<number> {
  return new Set([...segmenter.segment(text)].map(({ index }) => index));
}

/** The cluster around an offset in the text. */
export function clusterAt(text: string, at: number): string {
  return [...segmenter.segment(text)].findLast(({ index }) => index <= at)?.segment ?? "";
}

export function textEvent(text: string): ProviderEvent {
  return { type: "text", text };
}
