import { listSettings } from "../src/compose/settings.ts";
import type { Generator } from "./generator.ts";
import { fillTables, readPage, table } from "./markdown-tables.ts";

const page = "docs/SETTINGS.md";

/** The table of settings, made from the schemas that read the settings. */
export const settingsGenerator: Generator = {
  name: `settings in ${page}`,
  source: "src/compose/settings.ts",
  outputFile: page,
  async render() {
    const rows = listSettings().map(({ name, fallback, help }) => [`\`${name}\``, fallback, help]);
    return fillTables(await readPage(page), {
      settings: table(["variable", "default", "meaning"], rows),
    });
  },
};
