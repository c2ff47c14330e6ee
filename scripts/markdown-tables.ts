import { readFile } from "node:fs/promises";

/** Reads a page of the repository, by its path from the root. */
export function readPage(page: string): Promise<string> {
  return readFile(new URL(`../${page}`, import.meta.url), "utf8");
}

/** Puts each table between its `generated` and `end generated` comments. Throws if the page asks for an unknown table. */
export function fillTables(text: string, tables: Readonly<Record<string, string>>): string {
  return text.replace(
    /(<!-- generated: ([a-z-]+) -->\n)[\s\S]*?(<!-- end generated -->)/g,
    (_, open: string, name: string, close: string) => {
      const filled = tables[name];
      if (filled === undefined) throw new Error(`There is no table "${name}".`);
      return `${open}\n${filled}\n\n${close}`;
    },
  );
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
