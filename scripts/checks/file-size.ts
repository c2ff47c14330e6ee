import { type CheckOutcome, outcomeOf } from "../check-outcome.ts";
import { countLines, measureFiles } from "../file-size.ts";
import { listFiles, readFiles } from "../repository.ts";

const folders = ["src", "scripts", "bench", "tests"];
const extensions = [".ts", ".tsx", ".js", ".py", ".css", ".html"];
const maxLines = 300;

/** Checks that no code file is longer than 300 lines. The generated page is in `backend`, so it does not count. */
export async function checkFileSize(): Promise<CheckOutcome> {
  const files = await readFiles(await listFiles(), folders, extensions);
  const { tooLong, note } = measureFiles(
    files.map(({ path, text }) => ({ path, lines: countLines(text) })),
    maxLines,
  );
  return outcomeOf(tooLong, note);
}
