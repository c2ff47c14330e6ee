/** The voice of a request that names no persona. */
export const namelessVoice = "";

/** What is asked under a request's id: the answer is known from it. */
export function questionOf(id: string): string {
  return `What is the answer to <${id}>? ¿Ünd 🤔?`;
}

/** The id that a question was made of. Throws for any other text. */
export function idOfQuestion(question: string): string {
  const id = /<([^>]+)>/.exec(question)?.[1];
  if (id === undefined) throw new Error(`not one of these questions: ${question}`);
  return id;
}

/** Every piece says whose it is and where it belongs, so that a lost, doubled or strayed one shows in the text. */
export function piecesOf(id: string, voice: string): string[] {
  return Array.from({ length: pieceCount(id, voice) }, (_, index) =>
    index % 7 === 3 ? `${index}é😀👩‍👩‍👧\n` : `${id}/${voice}/${index} `,
  );
}

/** The whole answer of one voice. */
export function answerTo(id: string, voice: string): string {
  return piecesOf(id, voice).join("");
}

/** 30 to 69, the same for the same request and voice. */
function pieceCount(id: string, voice: string): number {
  return 30 + (numberOf(`${id}/${voice}`) % 40);
}

/** A whole number that spreads well and follows from the text alone. */
export function numberOf(text: string): number {
  let mixed = 7;
  for (const character of text) mixed = (mixed * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return mixed;
}
