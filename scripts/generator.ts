/** A file of the repository that is made from others and committed all the same. */
export interface Generator {
  /** The name to show for it, e.g. `playground page`. */
  readonly name: string;
  /** Path from the root of the generator's source. If neither this file nor the output exists, there is nothing to do. */
  readonly source: string;
  /** Path from the root of the file that it writes. */
  readonly outputFile: string;
  /** Returns the whole contents that the file should have. */
  render(): Promise<string>;
}
