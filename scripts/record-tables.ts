import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Generator } from "./generator.ts";
import { fillTables, readPage } from "./markdown-tables.ts";
import { root } from "./repository.ts";

const folder = "docs/records";

/** The pages that show the records of long runs as they were written. */
export const recordGenerators: readonly Generator[] = ["docs/RELIABILITY.md", "docs/scale-out.md"].map(
  (page) => ({
    name: `records in ${page}`,
    source: folder,
    outputFile: page,
    async render() {
      const files = (await readdir(join(root, folder))).filter((name) => name.endsWith(".txt"));
      const records: Record<string, string> = {};
      for (const file of files) {
        records[file.replace(/\.txt$/, "")] = show(await readFile(join(root, folder, file), "utf8"));
      }
      return fillTables(await readPage(page), records);
    },
  }),
);

/** Shows a record's table as a Markdown table, and its head and figures as text. */
function show(record: string): string {
  const lines = record.trimEnd().split("\n");
  const tableAt = lines.findIndex((line) => line.startsWith("|"));
  const text = tableAt < 0 ? lines : lines.slice(0, tableAt);
  const table = tableAt < 0 ? [] : ["", ...lines.slice(tableAt)];
  return ["```text", ...text, "```", ...table].join("\n");
}
