import { SyntaxKind } from "typescript/unstable/ast";
import { readTokens, type Token } from "./tokens.ts";

export interface Source {
  readonly path: string;
  readonly text: string;
}

const declarations = new Set<string>(["interface", "type", "class", "function", "const", "let", "enum"]);
/** Words that may stand between `export` and a declaration. */
const modifiers = new Set<string>(["abstract", "async", "declare"]);

/**
 * Finds the exported names of `src` that no other file mentions, one sentence each. Names are compared as words, so a name that another
 * file uses for something else counts as used. Files called `index` and `shared` files, which an `index` exports as a whole, may export
 * names for users of the package.
 */
export function findUnsharedExports(sources: readonly Source[], shared: ReadonlySet<string>): string[] {
  const read = sources.map(({ path, text }) => ({ path, tokens: readTokens(text, path) }));
  const mentions = new Map<string, Set<string>>();
  for (const { path, tokens } of read)
    for (const { kind, text } of tokens) {
      if (kind !== SyntaxKind.Identifier) continue;
      mentions.set(text, (mentions.get(text) ?? new Set()).add(path));
    }
  return read
    .filter(({ path }) => path.startsWith("src/") && !/(^|\/)index\.ts$/.test(path) && !shared.has(path))
    .flatMap(({ path, tokens }) =>
      exportedNames(tokens)
        .filter(({ text }) => mentions.get(text)?.size === 1)
        .map(({ text, line }) => `${path}:${line}: no other file mentions ${text}: do not export it`),
    );
}

/** The names that a file declares and exports in one statement. */
function exportedNames(tokens: readonly Token[]): Token[] {
  return tokens.flatMap(({ kind }, index) => {
    if (kind !== SyntaxKind.ExportKeyword) return [];
    let at = index + 1;
    while (modifiers.has(tokens[at]?.text ?? "")) at += 1;
    if (!declarations.has(tokens[at]?.text ?? "")) return [];
    at += tokens[at + 1]?.kind === SyntaxKind.AsteriskToken ? 2 : 1;
    const name = tokens[at];
    return name?.kind === SyntaxKind.Identifier ? [name] : [];
  });
}
