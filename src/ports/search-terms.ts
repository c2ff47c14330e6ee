/** Most words of a query that count. */
const mostTerms = 16;
/** A shorter word is looked for as it is: as a beginning it would match nearly everything. */
const leastPrefixChars = 3;
const titleChars = 80;
/** How much an excerpt shows before the word, and in all, characters. */
const excerptBefore = 60;
const excerptChars = 180;
/** How far into a text an excerpt's word is looked for, characters: a text may have millions. */
const excerptReach = 65_536;

/** Letters of scripts that put no spaces between words: each counts as a word of its own. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu;
const firstUnspaced = new RegExp(`^${unspaced.source}`, "u");
/** Anything but letters and digits lies between words. */
const betweenWords = /[^\p{L}\p{N}\p{Co}]+/gu;
const isLetter = /[\p{L}\p{N}\p{Co}]/u;
/** The same without marks, and without halves of characters. */
const isBetweenWords = /[^\p{L}\p{N}\p{Co}\p{M}\p{Cs}]/u;
const marks = /\p{M}+/gu;
const manyMarks = /(\p{M}{16})\p{M}+/gu;
/** How much of a text is looked through in one go, characters: measured at 6 ms at most. */
const pieceChars = 16_384;
/** A longer word may be cut in two. */
const mostWordChars = 1_024;

/** One word of a query: what it is made of, in order and one behind the other, and whether the last part may go on. */
export interface SearchTerm {
  readonly parts: readonly string[];
  readonly isPrefix: boolean;
}

/**
 * The words of a query, which stand between its spaces. Case and accents do not count. A word matches the beginning of a word of the
 * text; one of fewer than three characters only a whole word. `well-known` is two words that follow one another, and so are
 * two characters of Chinese.
 */
export function searchTerms(query: string): SearchTerm[] {
  return query
    .split(/\s+/u)
    .map((word) => partsOf(word))
    .filter((parts) => parts.length > 0)
    .slice(0, mostTerms)
    .map((parts) => ({ parts, isPrefix: [...(parts.at(-1) ?? "")].length >= leastPrefixChars }));
}

/**
 * Whether all of the words occur in the text. It yields after each piece of the text, so that the caller can let others run; the
 * work grows with the length of the text, whatever the text is made of.
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

/** Adds each word of a text to `words` as `matchesTerms` compares it. It yields after each piece. */
export function* collectWords(text: string, words: Set<string>): Generator<undefined, void> {
  for (const piece of piecesOf(text)) {
    for (const part of partsOf(piece)) words.add(part);
    yield;
  }
}

/**
 * The text around the first of the query's words, or its beginning if the word is not in the first 65,536 characters; on one line.
 * It yields after each piece that was looked through.
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

/** The title of a conversation that begins with this question: its first 80 characters, on one line. */
export function titleOf(question: string): string {
  const beginning = question.trimStart().slice(0, 20 * titleChars);
  return [...oneLine(beginning)].slice(0, titleChars).join("");
}

/** Without case and accents, with spaces around the letters of scripts that have none. */
function comparable(text: string): string {
  return plain(text).replace(unspaced, " $& ");
}

function partsOf(text: string): string[] {
  return comparable(text)
    .split(betweenWords)
    .filter((part) => part !== "");
}

/** Without case and accents; in composed text the letters keep their places. */
function plain(text: string): string {
  // Marks go first: putting a long row of them in order takes the square of its length.
  const letters = text.replace(marks, "").normalize("NFD").replace(marks, "");
  // A sigma at the end of a word has a lower case of its own.
  return letters.normalize("NFC").toLowerCase().replaceAll("ς", "σ");
}

/** The text in pieces of at most 16,384 characters, which end between words; a word of more than 1,024 characters may be cut. */
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
  for (let end = longest; end > longest - mostWordChars; end -= 1)
    if (isBetweenWords.test(text.charAt(end - 1))) return end;
  return isSecondHalf(text, longest) ? longest - 1 : longest;
}

function isSecondHalf(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff;
}

/** A piece of the text with its surroundings, as it is shown. */
function excerptPiece(text: string, start: number) {
  const from = Math.max(0, start - 2 * excerptBefore);
  const to = start + pieceChars + excerptChars;
  // Nobody reads more marks on one letter, and to compose them takes the square of their number.
  const near = text.slice(from, to).replace(manyMarks, "$1").normalize("NFC");
  return { near, isFirst: from === 0, isLast: to >= text.length };
}

function excerptAt(near: string, start: number, isFirst: boolean, isLast: boolean): string {
  const end = start + excerptChars;
  // A cut may halve a character that takes two units.
  const shown = near.slice(start, end).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
  const isCut = end < near.length || !isLast;
  return `${isFirst && start === 0 ? "" : "…"}${oneLine(shown)}${isCut ? "…" : ""}`;
}

/** Where a part of a term begins a word; -1 if it does nowhere. `isFirst`: the text begins a word. */
function indexOfWord(text: string, part: string, isFirst: boolean): number {
  const isUnspaced = matchesUnspaced(part);
  for (let index = text.indexOf(part); index >= 0; index = text.indexOf(part, index + 1)) {
    if (index === 0 && isFirst) return index;
    if (index > 0 && (isUnspaced || beginsWord(text, index))) return index;
  }
  return -1;
}

/** Whether no letter that belongs to the same word stands before this place. */
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
