import { SyntaxKind } from "typescript/unstable/ast";
import { readTokens, type Token } from "./tokens.ts";

/** One place where a file names another module. */
export interface ImportStatement {
  readonly specifier: string;
  /** The line where the statement starts, from 1. */
  readonly line: number;
  /** True for `import type` and `export type ... from`, which leave nothing in the running code. */
  readonly typeOnly: boolean;
}

/**
 * Every module that a source names: `import`, `export ... from`, `import("...")` (as an expression or as a type), in
 * order. Comments, strings and templates are not code and are skipped.
 */
export function readImports(text: string, fileName: string): ImportStatement[] {
  const tokens = readTokens(text, fileName);
  const found: ImportStatement[] = [];
  for (const [index, token] of tokens.entries()) {
    const isMember = tokens[index - 1]?.kind === SyntaxKind.DotToken;
    if (isMember || (token.kind !== SyntaxKind.ImportKeyword && token.kind !== SyntaxKind.ExportKeyword))
      continue;
    const specifier =
      token.kind === SyntaxKind.ImportKeyword
        ? importSource(tokens, index + 1)
        : clauseSource(tokens, index + 1);
    if (specifier === undefined) continue;
    found.push({ specifier, line: token.line, typeOnly: isTypeOnly(tokens, index + 1) });
  }
  return found;
}

/** The source after `import`: a string, a bracket with a string, or a clause and `from`. */
function importSource(tokens: Token[], start: number): string | undefined {
  const first = tokens[start];
  if (first?.kind === SyntaxKind.StringLiteral) return first.text;
  if (first?.kind !== SyntaxKind.OpenParenToken) return clauseSource(tokens, start);
  const argument = tokens[start + 1];
  const isLiteral =
    argument?.kind === SyntaxKind.StringLiteral ||
    argument?.kind === SyntaxKind.NoSubstitutionTemplateLiteral;
  return isLiteral ? argument.text.replace(/^`|`$/g, "") : undefined;
}

/** Reads over names, commas, braces and stars to `from "..."`. Any other token means that this is no re-export. */
function clauseSource(tokens: Token[], start: number): string | undefined {
  let insideBraces = false;
  for (let index = start; index < tokens.length; index++) {
    const token = tokens[index];
    const next = tokens[index + 1];
    if (token === undefined) return undefined;
    if (!insideBraces && token.text === "from" && next?.kind === SyntaxKind.StringLiteral) return next.text;
    if (token.kind === SyntaxKind.OpenBraceToken) insideBraces = true;
    else if (token.kind === SyntaxKind.CloseBraceToken) insideBraces = false;
    else if (!isPartOfClause(token, insideBraces)) return undefined;
  }
  return undefined;
}

function isPartOfClause(token: Token, insideBraces: boolean): boolean {
  if (token.kind === SyntaxKind.CommaToken || token.kind === SyntaxKind.AsteriskToken) return true;
  // `import { "odd name" as name }` is legal.
  if (token.kind === SyntaxKind.StringLiteral) return insideBraces;
  const isDeclaration = declarationWords.has(token.kind) && !insideBraces;
  const isWord =
    token.kind === SyntaxKind.Identifier ||
    (token.kind >= SyntaxKind.FirstKeyword && token.kind <= SyntaxKind.LastKeyword);
  return isWord && !isDeclaration;
}

/** After these words, `export` and `import` open a declaration; a later `from` belongs to another statement. */
const declarationWords = new Set<SyntaxKind>([
  SyntaxKind.ConstKeyword,
  SyntaxKind.LetKeyword,
  SyntaxKind.VarKeyword,
  SyntaxKind.FunctionKeyword,
  SyntaxKind.ClassKeyword,
  SyntaxKind.InterfaceKeyword,
  SyntaxKind.AbstractKeyword,
  SyntaxKind.DeclareKeyword,
  SyntaxKind.AsyncKeyword,
  SyntaxKind.ImportKeyword,
  SyntaxKind.ExportKeyword,
]);

/**
 * True for `import type x from` and `import type { x } from`. But `import type from "..."` binds a value that is called
 * `type`.
 */
function isTypeOnly(tokens: Token[], start: number): boolean {
  if (tokens[start]?.kind !== SyntaxKind.TypeKeyword) return false;
  const next = tokens[start + 1];
  if (next?.kind === SyntaxKind.CommaToken) return false;
  return next?.text !== "from" || tokens[start + 2]?.text === "from";
}
