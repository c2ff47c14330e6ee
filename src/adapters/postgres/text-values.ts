/*
 * PostgreSQL's `text` cannot hold U+0000. Beats also join all values of a column by U+001E. So these two characters and the mark itself
 * are stored as U+001A and a letter. Stored JSON has no control characters and needs no marks.
 */

const mark = "\u001a";
/** Ends each value of a joined column. */
export const separator = "\u001e";
/** Stands for NULL in a joined column: the mark is never alone. */
export const nullValue = mark;

const replaced = [
  ["\u0000", `${mark}0`],
  [separator, `${mark}e`],
] as const;

/** The form in which text is stored and compared. It keeps everything but unpaired surrogates, which have no UTF-8. */
export function encodeText(text: string): string {
  if (![mark, separator, "\u0000"].some((character) => text.includes(character))) return text;
  return replaced.reduce(
    (stored, [character, code]) => stored.replaceAll(character, code),
    text.replaceAll(mark, `${mark}a`),
  );
}

/** The text of a stored value. */
export function decodeText(stored: string): string {
  if (!stored.includes(mark)) return stored;
  return replaced
    .reduce((text, [character, code]) => text.replaceAll(code, character), stored)
    .replaceAll(`${mark}a`, mark);
}
