import { listSettings } from "../src/compose/settings.ts";
import type { Generator } from "./generator.ts";
import { fillTables, readPage, table } from "./markdown-tables.ts";

const page = "docs/SETTINGS.md";

/** The tables of settings, one a group, made from the schemas that read the settings. */
export const settingsGenerator: Generator = {
  name: `settings in ${page}`,
  source: "src/compose/settings.ts",
  outputFile: page,
  async render() {
    const parts = [...Map.groupBy(listSettings(), ({ group }) => group)].map(([title, settings]) => {
      const rows = settings.map(({ name, fallback, help }) => [`\`${name}\``, fallback, help]);
      return `## ${title}\n\n${table(["variable", "default", "meaning"], rows)}`;
    });
    return fillTables(await readPage(page), { settings: parts.join("\n\n") });
  },
};
