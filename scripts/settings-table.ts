import { listSettings } from "../src/compose/settings.ts";
import type { Generator } from "./generator.ts";
import { fillTables, readPage, table } from "./markdown-tables.ts";

/** The table of settings in README.md, made from the schemas that read them. */
export const settingsGenerator: Generator = {
  name: "settings in README.md",
  source: "src/compose/settings.ts",
  outputFile: "README.md",
  async render() {
    const rows = listSettings().map(({ name, fallback, help }) => [`\`${name}\``, fallback, help]);
    return fillTables(await readPage("README.md"), {
      settings: table(["variable", "default", "meaning"], rows),
    });
  },
};
