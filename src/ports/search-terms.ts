/** Maximum number of words in a query; the rest are ignored. */
const maxTerms = 16;
/** A shorter word only matches a whole word: as a prefix it would match nearly everything. */
const minPrefixChars = 3;
/** Characters of an excerpt before the word, and in all. */
const excerptBefore = 60;
const excerptChars = 180;
/** How far into a text the excerpt's word is looked for, in characters: a text may have millions. */
const excerptReach = 65_536;

/** Letters of scripts without spaces between words: each counts as a word of its own. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu;
const firstUnspaced = new RegExp(`^${unspaced.source}`, "u");
/** Words are separated by anything but letters and digits. */
const betweenWords = /[^\p{L}\p{N}\p{Co}]+/gu;
const isLetter = /[\p{L}\p{N}\p{Co}]/u;
/** The same, but neither marks nor halves of surrogate pairs separate words. */
const isBetweenWords = /[^\p{L}\p{N}\p{Co}\p{M}\p{Cs}]/u;
const marks = /\p{M}+/gu;
const manyMarks = /(\p{M}{16})\p{M}+/gu;
/** How much of a text is searched in one go, in characters: measured at 6 ms at most. */
const pieceChars = 16_384;
/** A longer word may be split. */
const maxWordChars = 1_024;

/** One word of a query: its parts, which must follow each other directly, and whether the last one is a prefix. */
export interface SearchTerm {
  readonly parts: readonly string[];
  readonly isPrefix: boolean;
}

/**
 * The words of a query, separated by spaces. Case and accents do not count. A word matches the start of a word of the text; a word of
 * fewer than three characters matches only a whole word. `well-known` is two words in a row, and so are two Chinese characters.
 */
export function searchTerms(query: string): SearchTerm[] {
  return query
    .split(/\s+/u)
    .map((word) => partsOf(word))
    .filter((parts) => parts.length > 0)
    .slice(0, maxTerms)
    .map((parts) => ({ parts, isPrefix: [...(parts.at(-1) ?? "")].length >= minPrefixChars }));
}

/**
 * Whether the text contains all of the words. It yields after each piece of the text, so that the caller can let other work run. The time
 * grows only with the length of the text.
 */
export function* matchesTerms(text: string, terms: readonly SearchTerm[]): Generator<undefined, boolean> {
  let missing = terms.map(({ parts, isPrefix }) => ` ${parts.join(" ")}${isPrefix ? "" : " "}`);
  // Parts that must stand together may be in two pieces.
  const overlap = Math.max(0, ...terms.map(({ parts }) => parts.length - 1));
  let tail: string[] = [];
  for (const piece of piecesOf(text)) {
    const parts = tail.concat(partsOf(piece));
    const words = ` ${parts.join(" ")} `;
    missing = missing.filter((word) => !words.includes(word));
    if (missing.length === 0) return true;
    tail = overlap === 0 ? [] : parts.slice(-overlap);
    yield;
  }
  return false;
}

/** Adds each word of a text to `words`, in the form that `matchesTerms` compares. It yields after each piece. */
export function* collectWords(text: string, words: Set<string>): Generator<undefined, void> {
  for (const piece of piecesOf(text)) {
    for (const part of partsOf(piece)) words.add(part);
    yield;
  }
}

/**
 * The text around the query's first word, on one line. If the word is not in the first 65,536 characters, the start of the text. It
 * yields after each piece searched.
 */
export function* excerptOf(text: string, query: string): Generator<undefined, string> {
  const [part] = searchTerms(query)[0]?.parts ?? [];
  for (
    let start = 0;
    part !== undefined && start < Math.min(text.length, excerptReach);
    start += pieceChars
  ) {
    const { near, isFirst, isLast } = excerptPiece(text, start);
    const index = indexOfWord(plain(near), part, isFirst);
    if (index >= 0) return excerptAt(near, Math.max(0, index - excerptBefore), isFirst, isLast);
    yield;
  }
  const { near, isLast } = excerptPiece(text, 0);
  return excerptAt(near, 0, true, isLast);
}

/** Without case and accents, with spaces around letters of scripts that use none. */
function comparable(text: string): string {
  return plain(text).replace(unspaced, " $& ");
}

function partsOf(text: string): string[] {
  return comparable(text)
    .split(betweenWords)
    .filter((part) => part !== "");
}

/** Without case and accents. Letters of composed text keep their positions. */
function plain(text: string): string {
  // Marks go first: sorting a long row of them takes quadratic time.
  const letters = text.replace(marks, "").normalize("NFD").replace(marks, "");
  // A sigma at the end of a word has a different lower case.
  return letters.normalize("NFC").toLowerCase().replaceAll("ς", "σ");
}

/** Splits the text between words, into pieces of at most 16,384 characters. A word of more than 1,024 characters may be split. */
function* piecesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const end = pieceEnd(text, start);
    yield text.slice(start, end);
    start = end;
  }
}

function pieceEnd(text: string, start: number): number {
  const longest = start + pieceChars;
  if (longest >= text.length) return text.length;
  for (let end = longest; end > longest - maxWordChars; end -= 1)
    if (isBetweenWords.test(text.charAt(end - 1))) return end;
  return isSecondHalf(text, longest) ? longest - 1 : longest;
}

function isSecondHalf(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff;
}

/** A piece of the text with its surroundings, ready to show. */
function excerptPiece(text: string, start: number) {
  const from = Math.max(0, start - 2 * excerptBefore);
  const to = start + pieceChars + excerptChars;
  // No reader needs more than 16 marks on one letter, and composing them takes quadratic time.
  const near = text.slice(from, to).replace(manyMarks, "$1").normalize("NFC");
  return { near, isFirst: from === 0, isLast: to >= text.length };
}

function excerptAt(near: string, start: number, isFirst: boolean, isLast: boolean): string {
  const end = start + excerptChars;
  // A cut may halve a surrogate pair.
  const shown = near.slice(start, end).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
  const isCut = end < near.length || !isLast;
  return `${isFirst && start === 0 ? "" : "…"}${oneLine(shown)}${isCut ? "…" : ""}`;
}

/** The index at which a part of a term starts a word; -1 if there is none. `isFirst`: the text starts with a word's start. */
function indexOfWord(text: string, part: string, isFirst: boolean): number {
  const isUnspaced = matchesUnspaced(part);
  for (let index = text.indexOf(part); index >= 0; index = text.indexOf(part, index + 1)) {
    if (index === 0 && isFirst) return index;
    if (index > 0 && (isUnspaced || beginsWord(text, index))) return index;
  }
  return -1;
}

/** Whether no letter of the same word precedes this index. */
function beginsWord(text: string, index: number): boolean {
  const before = text.slice(isSecondHalf(text, index - 1) ? Math.max(0, index - 2) : index - 1, index);
  return !isLetter.test(before) || matchesUnspaced(before);
}

function matchesUnspaced(text: string): boolean {
  return firstUnspaced.test(text);
}

function oneLine(text: string): string {
  return text.replace(/\s+/gu, " ").trim();
}
