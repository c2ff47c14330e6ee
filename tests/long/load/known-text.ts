/** Pieces that break if bytes, code units or clusters are cut in the wrong place, among plain words. */
const words = [
  "and",
  "so",
  "the",
  "answer",
  "grows",
  "while",
  "everybody",
  "watches.",
  "\u96e8\u304c\u964d\u308b",
  "na\u00efve",
  "cafe\u0301",
  "\u{1f469}\u200d\u{1f4bb}",
  "\u{1f1e9}\u{1f1ea}",
  "\n\n",
  '"quoted\\"',
  "\u0e19\u0e49\u0e33",
];

/** Number of words in an answer: 2 to 4 seconds, at 10 pieces a second and 3 words a piece. */
const minWords = 60;
const maxWords = 120;
export const wordsPerPiece = 3;
export const pieceIntervalMs = 100;

/** The words with which this persona answers this question (empty: a nameless voice). They are always the same. */
export function knownWords(question: string, personaId: string): string[] {
  const next = pseudoRandom(`${personaId}\n${question}`);
  const count = minWords + (next() % (maxWords - minWords));
  return Array.from({ length: count }, () => `${words[next() % words.length]} `);
}

export function knownText(question: string, personaId: string): string {
  return knownWords(question, personaId).join("");
}

/** Whole numbers that follow from the seed alone: FNV-1a for the start, then xorshift32. */
function pseudoRandom(seed: string): () => number {
  let state = 0x811c9dc5;
  for (const character of seed) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193);
  state ||= 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
