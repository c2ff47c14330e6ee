/** One file of the repository that is made from others and committed all the same. */
export interface Generator {
  /** What a reader calls it, e.g. `playground page`. */
  readonly name: string;
  /** Path from the root of what it is made from: where neither this nor the output exists, there is nothing to do. */
  readonly source: string;
  /** Path from the root of the file that it writes. */
  readonly outputFile: string;
  /** The whole contents that the file should have. */
  render(): Promise<string>;
}
