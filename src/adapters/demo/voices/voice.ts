/** A list to choose from, which is not empty. */
export type Variants<Item> = readonly [Item, ...Item[]];

/**
 * The prepared lines of one speaker. Every opening goes with every body and every closing. The functions are given a
 * finished phrase, quotation marks included, that may stand anywhere but at the start of a sentence.
 */
export interface DemoVoice {
  readonly openings: Variants<(question: string) => string>;
  readonly bodies: Variants<string>;
  readonly closings: Variants<string>;
  /** Said when the context holds an earlier question. */
  readonly followUp: (earlierQuestion: string) => string;
  /** The summary of reasoning, shown if the request asks for one. */
  readonly reasoning: string;
}
