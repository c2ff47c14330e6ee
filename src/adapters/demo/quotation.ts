/** A quoted message is cut to this many characters as a reader counts them, so that a script stays a paragraph long. */
const maxQuotedCharacters = 64;

/** Enough code units for the visible part; the rest of a long message is not even read. */
const maxReadCodeUnits = 1024;

/** Characters that a quotation must not contain: controls, and characters that reorder or hide the text around them. */
const invisibleCharacters = /[\p{Cc}\p{Bidi_Control}\u200b\u2060\u{e0000}-\u{e007f}]/gu;

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * Puts somebody's words into quotation marks, shortened as data.
 *
 * @returns a phrase for the middle of a sentence; if the words have nothing visible in them, the phrase says so.
 */
export function quotation(words: string): string {
  const line = shortened(words);
  return line === "" ? "a message without words" : `“${line}”`;
}

/**
 * Turns somebody's words into data: on one line, without invisible characters or double quotation marks, and cut at a
 * word if they are longer than 64 characters. Grapheme clusters stay whole.
 */
export function shortened(words: string): string {
  const line = words
    .slice(0, maxReadCodeUnits)
    .toWellFormed()
    .replace(/\s+/gu, " ")
    .replace(invisibleCharacters, "")
    .replace(/["“”„«»]/gu, "'")
    .trim();
  const characters = Array.from(graphemes.segment(line), ({ segment }) => segment);
  if (characters.length <= maxQuotedCharacters && words.length <= maxReadCodeUnits) return line;
  const start = characters.slice(0, maxQuotedCharacters).join("");
  const lastSpace = start.lastIndexOf(" ");
  const kept = lastSpace > start.length / 2 ? start.slice(0, lastSpace) : start;
  return `${kept.replace(/[\s.,;:!?–—-]+$/u, "")}…`;
}
