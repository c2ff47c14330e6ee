import { type Mutant, nameOf } from "./find-mutants.ts";

/** Why a survivor may stay. */
export interface SurvivorArgument {
  /** Name of the mutant, as `nameOf` gives it. */
  readonly name: string;
  /** No caller can see the change, so it counts neither as caught nor as missed. */
  readonly isEquivalent: boolean;
  readonly reason: string;
}

/**
 * Reads the page of arguments. Each heading names a file in code. Under it, each survivor has an entry with its two texts
 * and a sentence that starts with `Equivalent:` or `Accepted:`. Throws if an entry has another form.
 */
export function readArguments(page: string): SurvivorArgument[] {
  const [, ...sections] = page.split(/^## /m);
  return sections.flatMap((section) => {
    const [, file] = /^`(.+)`$/m.exec(section.split("\n", 1)[0] ?? "") ?? [];
    const [, ...entries] = section.split(/^- /m);
    return entries.map((entry) => readEntry(file, entry));
  });
}

function readEntry(file: string | undefined, entry: string): SurvivorArgument {
  const form = /^`` (.+?) `` → `` (.+?) ``\s+(Equivalent|Accepted): ([\s\S]+)$/;
  const [, before, after, kind, reason] = form.exec(entry) ?? [];
  if (file === undefined || before === undefined || after === undefined || reason === undefined)
    throw new Error(`This is not an argument for a survivor: ${entry}`);
  const isEquivalent = kind === "Equivalent";
  return { name: nameOf({ file, before, after }), isEquivalent, reason: reason.replace(/\s+/g, " ").trim() };
}

/** The first line of a mutant's entry. */
export function entryOf({ before, after }: Mutant): string {
  return `- \`\` ${before} \`\` → \`\` ${after} \`\``;
}
