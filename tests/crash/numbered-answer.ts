/** The voice of a request that names no persona. */
export const namelessVoice = "";

/** The question that is asked under a request's id. The answer follows from it. */
export function questionOf(id: string): string {
  return `What is the answer to <${id}>? ¿Ünd 🤔?`;
}

/** The id from which a question was made. Throws for any other text. */
export function idOfQuestion(question: string): string {
  const id = /<([^>]+)>/.exec(question)?.[1];
  if (id === undefined) throw new Error(`not one of these questions: ${question}`);
  return id;
}

/** Characters that stores cannot hold as they are, and half a character. */
const hardToStore = "\u0000\u001a\u001e\ud83d";

/** Every piece names its voice and its place, so a lost, doubled or misplaced piece shows in the text. */
export function piecesOf(id: string, voice: string): string[] {
  return Array.from({ length: pieceCount(id, voice) }, (_, index) => {
    if (index % 7 === 3) return `${index}é😀👩‍👩‍👧\n`;
    return index % 7 === 5 ? `${index}${hardToStore} ` : `${id}/${voice}/${index} `;
  });
}

/** The whole answer of one voice, as clients get it. */
export function answerTo(id: string, voice: string): string {
  return piecesOf(id, voice).join("").toWellFormed();
}

/** 30 to 69, always the same for one request and voice. */
function pieceCount(id: string, voice: string): number {
  return 30 + (numberOf(`${id}/${voice}`) % 40);
}

/** A well-spread whole number that depends only on the text. */
export function numberOf(text: string): number {
  let mixed = 7;
  for (const character of text) mixed = (mixed * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return mixed;
}
