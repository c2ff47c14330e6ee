/** Most words of a query that count. */
const mostTerms = 16;
/** A shorter word is looked for as it is: as a beginning it would match nearly everything. */
const leastPrefixChars = 3;
const titleChars = 80;
/** How much an excerpt shows before the word, and in all, characters. */
const excerptBefore = 60;
const excerptChars = 180;
/** How far into a text an excerpt's word is looked for; a text may have millions of characters. */
const excerptReach = 200_000;

/** Letters of scripts that put no spaces between words: each counts as a word of its own. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu;
/** What lies between words; the same classes as FTS5's tokenizer `unicode61` has. */
const betweenWords = /[^\p{L}\p{N}\p{Co}]+/gu;

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
 * The words of a text as an index that knows only case and spaces has to be given them; `undefined` where the text itself
 * will do.
 */
export function wordsToIndex(text: string): string | undefined {
  return comparable(text) === text.toLowerCase() ? undefined : partsOf(text).join(" ");
}

/** Whether all of the words occur in the text. */
export function matchesTerms(text: string, terms: readonly SearchTerm[]): boolean {
  const words = ` ${partsOf(text).join(" ")} `;
  return terms.every(({ parts, isPrefix }) => words.includes(` ${parts.join(" ")}${isPrefix ? "" : " "}`));
}

/** The text around the first of the query's words, or its beginning where the word is not near; on one line. */
export function excerptOf(text: string, query: string): string {
  const near = text.slice(0, excerptReach).normalize("NFC");
  const start = Math.max(0, indexOfWord(plain(near), searchTerms(query)[0]) - excerptBefore);
  const end = start + excerptChars;
  // A cut may halve a character that takes two units.
  const shown = near.slice(start, end).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
  const isCut = end < near.length || text.length > excerptReach;
  return `${start > 0 ? "…" : ""}${oneLine(shown)}${isCut ? "…" : ""}`;
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
  const letters = text.normalize("NFD").replace(/\p{M}+/gu, "");
  // A sigma at the end of a word has a lower case of its own.
  return letters.normalize("NFC").toLowerCase().replaceAll("ς", "σ");
}

/** Where the first part of a term stands, at the beginning of a word; 0 where it does not. */
function indexOfWord(text: string, term: SearchTerm | undefined): number {
  const [part = ""] = term?.parts ?? [];
  for (let index = text.indexOf(part); index >= 0; index = text.indexOf(part, index + 1)) {
    const before = comparable(text.slice(Math.max(0, index - 2), index));
    if (comparable(part).startsWith(" ") || /(^|[^\p{L}\p{N}\p{Co}])$/u.test(before)) return index;
  }
  return 0;
}

function oneLine(text: string): string {
  return text.replace(/\s+/gu, " ").trim();
}
