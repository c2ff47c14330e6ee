/** Counts the lines of a text. A line end at the very end does not start another line. */
export function countLines(text: string): number {
  if (text === "") return 0;
  const ends = text.split("\n").length - 1;
  return text.endsWith("\n") ? ends : ends + 1;
}

/**
 * Names the files with more than `maxLines` lines, longest first. The note gives the number of files, the longest, and
 * the median (of an even number, the lower of the middle two).
 */
export function measureFiles(
  files: readonly { readonly path: string; readonly lines: number }[],
  maxLines: number,
): { tooLong: string[]; note: string } {
  const sorted = [...files].sort((a, b) => b.lines - a.lines);
  const [longest] = sorted;
  const median = sorted[Math.floor(sorted.length / 2)];
  if (longest === undefined || median === undefined) return { tooLong: [], note: "no files" };
  return {
    tooLong: sorted
      .filter(({ lines }) => lines > maxLines)
      .map(({ path, lines }) => `${path}: ${lines} lines, at most ${maxLines} are allowed`),
    note: `${files.length} files, median ${median.lines} lines, longest ${longest.lines} (${longest.path})`,
  };
}
