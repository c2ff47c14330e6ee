const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });

/** Printable ASCII, tab and line feed: every code unit is a character of its own, unless a combining mark follows. */
const plain = /^[\t\n -~]*$/;
const highestAscii = 0x7f;
const regionalIndicator = /^\ud83c[\udde6-\uddff]$/;
/** A longer tail is not held back: text that never ends its cluster must not be held forever. */
const longestHeldUnits = 64;

/**
 * The index in UTF-16 code units at which to cut the next chunk off `text`. At most `maxCodePoints` code points precede it. It splits no
 * grapheme cluster, unless the first one alone is longer than a chunk, and never a surrogate pair.
 */
export function chunkEnd(text: string, maxCodePoints: number): number {
  const head = text.slice(0, maxCodePoints + 1);
  if (plain.test(head)) return Math.min(text.length, maxCodePoints);
  const end = indexAfterCodePoints(text, maxCodePoints);
  if (end >= text.length) return text.length;
  const cluster = segmenter.segment(text.slice(0, end + 2)).containing(end);
  if (cluster === undefined || cluster.index === end || cluster.index === 0) return end;
  return cluster.index;
}

/**
 * The UTF-16 code units of `text` that may be shown while more may follow. The last cluster waits if the next piece could belong to it.
 * Plain ASCII does not wait, except for the start of a keycap emoji or of a line break of two characters.
 */
export function settledLength(cameSoFar: string): number {
  const text = cameSoFar.slice(0, wholeLength(cameSoFar));
  const last = text.charCodeAt(text.length - 1);
  if (text.length === 0) return 0;
  if (last <= highestAscii) {
    if (!mayGoOn(last)) return text.length;
    // After another ASCII character, it starts a cluster of its own.
    if (text.length === 1 || text.charCodeAt(text.length - 2) <= highestAscii) return text.length - 1;
  }
  const windowStart = startOfTail(text);
  const tail = text.slice(windowStart);
  const cluster = segmenter.segment(tail).containing(tail.length - 1);
  if (cluster === undefined) return text.length;
  const start = windowStart + cluster.index;
  return cluster.index === 0 && windowStart > 0 ? text.length : start;
}

/** Whether the character can start a keycap emoji or a line break of two characters. */
function mayGoOn(ascii: number): boolean {
  return (ascii >= 0x30 && ascii <= 0x39) || ascii === 0x23 || ascii === 0x2a || ascii === 0x0d;
}

/** The same without waiting for the rest of a cluster: it only leaves out half a surrogate pair at the end, which is no character. */
export function wholeLength(text: string): number {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length;
}

/** Flags are pairs counted from the first of their row, in a row of any length, so the tail must not start inside a row. */
function startOfTail(text: string): number {
  let start = Math.max(0, text.length - longestHeldUnits);
  if (isLowSurrogate(text.charCodeAt(start)) && start > 0) start -= 1;
  while (regionalIndicator.test(text.slice(Math.max(0, start - 2), start))) start -= 2;
  return start;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function indexAfterCodePoints(text: string, count: number): number {
  let index = 0;
  for (let taken = 0; taken < count && index < text.length; taken += 1) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  }
  return index;
}
