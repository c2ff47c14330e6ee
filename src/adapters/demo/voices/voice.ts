/** At least one of something, to choose from. */
export type Variants<Item> = readonly [Item, ...Item[]];

/**
 * The prepared lines of one speaker. Every opening goes with every body and every closing. What the functions are given
 * is a finished phrase, quotation marks included, that may stand anywhere but at the start of a sentence.
 */
export interface DemoVoice {
  readonly openings: Variants<(question: string) => string>;
  readonly bodies: Variants<string>;
  readonly closings: Variants<string>;
  /** Said when the context holds an earlier question. */
  readonly followUp: (earlierQuestion: string) => string;
  /** What is shown as the summary of reasoning when one is asked for. */
  readonly reasoning: string;
}
