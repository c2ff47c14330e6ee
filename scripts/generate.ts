import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { generators } from "./generated.ts";
import { root } from "./repository.ts";

/** `npm run generate`: writes every generated file whose source exists. */
export async function main(): Promise<void> {
  for (const { source, outputFile, render } of generators) {
    if (!existsSync(join(root, source))) continue;
    const path = join(root, outputFile);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await render());
    console.log(outputFile);
  }
}
