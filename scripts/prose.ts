import type { Prose } from "./read-prose.ts";

interface WordRule {
  readonly pattern: RegExp;
  readonly advice: string;
}

const maxWords = 30;
const maxTitleChars = 72;
const maxExcerptChars = 100;

/** Words that stand for a thing without naming it, so the reader has to work out which one is meant. */
const wordRules: readonly WordRule[] = [
  { pattern: /\b(?:what|whatever)\b/i, advice: "name the thing" },
  { pattern: /\b(?:whoever|whom|nobody)\b/i, advice: "name the person or the part" },
  { pattern: /\b(?:those|that|these) (?:that|which|who)\b/i, advice: "name the things" },
  {
    pattern:
      /(?:^|[.,;:(] |\b(?:and|or|by|for|of|to|with|is|are|all|tells?|says?|asks?|knows?|decides?|chooses?) )who\b/i,
    advice: "name the person",
  },
  { pattern: /\banew\b/i, advice: "write “again”" },
];

/** The faults of one piece of prose, one sentence each, without its place. */
export function findInProse({ text, isTitle }: Prose): string[] {
  if (isTitle === true) {
    return text.length > maxTitleChars
      ? [`a title of ${text.length} characters, at most ${maxTitleChars}`]
      : [];
  }
  return splitSentences(text).flatMap((sentence) => {
    const words = sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
    // A question asks for its thing.
    const rules = sentence.endsWith("?") ? [] : wordRules;
    const faults = rules.flatMap(({ pattern, advice }) => {
      const found = pattern.exec(sentence)?.[0].replace(/^\W+/, "");
      return found === undefined ? [] : [`“${found}”: ${advice}`];
    });
    if (words > maxWords) faults.push(`a sentence of ${words} words, at most ${maxWords}`);
    return faults.map((fault) => `${fault}: ${excerptOf(sentence)}`);
  });
}

function splitSentences(text: string): string[] {
  return text.split(/(?<=[.!?]["”)]?)\s+(?=\S)/);
}

function excerptOf(sentence: string): string {
  const line = sentence.replaceAll(/\s+/g, " ");
  return line.length > maxExcerptChars ? `${line.slice(0, maxExcerptChars)}...` : line;
}
