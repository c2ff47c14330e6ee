import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { collectWords, type SearchTerm } from "../../ports/search-terms.ts";
import { sha256 } from "../system/system.ts";

/** Longer words are cut, in the index and in queries: PostgreSQL takes 2,046 bytes. */
const maxWordChars = 64;
/** Maximum text of a message's words. A message with more has no words in the index, and searches read its text. PostgreSQL takes 1 MiB. */
const maxIndexedChars = 250_000;

/** The mark of an owner's words: a search reads only the entries of its owner, however many other owners have the same words. */
function markOf(owner: string): string {
  return `${sha256(owner).slice(0, 12)}:`;
}

function cut(word: string): string {
  return word.length <= maxWordChars ? word : [...word].slice(0, maxWordChars).join("");
}

/** The words of a message for the index, one a line; `null` if there are too many. A long text is read in pieces, and other work runs between. */
export async function indexedWords(owner: string, text: string): Promise<string | null> {
  const found = new Set<string>();
  const reading = collectWords(text, found);
  for (let piece = reading.next(); piece.done !== true; piece = reading.next())
    if (text.length > maxIndexedChars) await nextLoopTurn();
  const mark = markOf(owner);
  const words = [...new Set([...found].map((word) => mark + cut(word)))].join("\n");
  return words.length > maxIndexedChars ? null : words;
}

/** The query (`tsquery`) for messages that have all parts of all terms, in any place. Only these can match. */
export function indexQuery(owner: string, terms: readonly SearchTerm[]): string {
  const mark = markOf(owner);
  return terms
    .flatMap(({ parts, isPrefix }) =>
      // Words are letters and digits, so that nothing in the quotes needs an escape.
      parts.map(
        (part, place) => `'${mark}${cut(part)}'${isPrefix && place === parts.length - 1 ? ":*" : ""}`,
      ),
    )
    .join(" & ");
}
