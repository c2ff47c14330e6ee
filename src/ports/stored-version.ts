/**
 * The version of the shapes in which turns are stored and sent between processes. The database's threads import it without the schemas,
 * which take memory. Rows without a version have version 1.
 *
 * Raise it if an earlier version would misread the new shapes, and then read the version before as well (`stored-turn.ts`). A new optional
 * key needs no new version.
 *
 * Raise it in two releases: the first one reads the new version, and the next one writes it. Nodes of two releases run on one database during
 * an upgrade. A node ends turns that it cannot read if it takes them over. It gives their followers the events that it can read, and then an
 * error, after which they can go on at another node.
 *
 * - 2: a checkpoint counts reasoning in code units, and tool events by themselves. Before, it counted both kinds of events together. A request
 *   tells in fields of its own that it runs in the background and how long its answer may be. Before, only the vendor's options told that.
 * - 3: a request brings items. Before, it brought one text, named `inputText` or `message`.
 */
export const storedVersion = 3;

/** Whether this program reads content of a version. */
export function isReadable(version: number): boolean {
  return Number.isInteger(version) && version >= 1 && version <= storedVersion;
}
