/** A word of the steady answer: its place, and its sending time. */
export function steadyWord(place: number, sentAtMs: number): string {
  return `${place}@${sentAtMs.toFixed(1)} `;
}

/** The sending times of the first and the last word in a piece of the answer; `undefined` if there is none. */
export function sentAtMsIn(text: string): { readonly first: number; readonly last: number } | undefined {
  const words = text.trim().split(" ");
  const first = Number(words[0]?.split("@")[1]);
  const last = Number(words.at(-1)?.split("@")[1]);
  return Number.isNaN(first) || Number.isNaN(last) ? undefined : { first, last };
}

/** Whether a text has all `words` words, each once and in order. */
export function isWhole(text: string, words: number): boolean {
  const places = text.trim().split(" ");
  return places.length === words && places.every((word, place) => word.startsWith(`${place}@`));
}
