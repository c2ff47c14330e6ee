/** Rules in which the generations of Gemini differ. */
export interface GeminiModel {
  /** Google tells developers to send no temperature and no `topP` to Gemini 3 and later, which ignore them or will refuse them. */
  readonly takesSampling: boolean;
  /** How effort is asked for; `undefined` if the model does not think. */
  readonly thinking: "level" | "budget" | undefined;
  /** Gemini 3 and later refuse a call of a function without the signature of the reasoning before it. */
  readonly wantsSignatures: boolean;
}

/**
 * The rules of a model, by its name. Names without a figure, such as `gemini-flash-latest`, stand for the newest generation, but keep the
 * temperature, which that generation still accepts.
 */
export function geminiModelOf(name: string): GeminiModel {
  const [, figure] = /\bgemini-(\d+(?:\.\d+)?)(?![\d.])/.exec(name) ?? [];
  const generation = figure === undefined ? undefined : Number(figure);
  if (generation === undefined) return { takesSampling: true, thinking: "level", wantsSignatures: true };
  return {
    takesSampling: generation < 3,
    thinking: generation >= 3 ? "level" : generation >= 2.5 ? "budget" : undefined,
    wantsSignatures: generation >= 3,
  };
}
